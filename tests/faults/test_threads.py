"""One thread a problem while workers are killed: two of them on one PostgreSQL, and a Slack that takes fewer
messages than the channel is set to bring."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.databases import postgres
from tests.fakes.receiver import Answer, Received, receiver
from tests.fakes.slack import Slack
from tests.faults.test_kill import UNDONE
from tests.machines import Machines

pytestmark = pytest.mark.faults

INCIDENTS = 60
KILLS = 4  # one in each round
PER_SECOND, BURST = 30, 10  # of new messages and answers; changes have a limit of their own
ANSWERS_AFTER = 0.004
ASKED_TO_WAIT = Answer(429, b"ratelimited", {"Retry-After": "1"})
OVER = "[RESOLVED]"


class Watched:
    """A Slack that keeps to its rate, and remembers what it showed, in order."""

    def __init__(self, slack: Slack, answer: Callable[[Received], Answer]) -> None:
        self.slack, self._answer = slack, answer
        self.shown: dict[str, list[str]] = {}  # by ts, what the head said one after another
        self.refused = 0
        self._tokens, self._filled_at = float(BURST), time.monotonic()

    def answer(self, received: Received) -> Answer:
        if received.path.endswith("chat.update"):
            return self._note(received)
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * PER_SECOND)
        self._filled_at = now
        if self._tokens < 1:
            self.refused += 1
            return ASKED_TO_WAIT
        self._tokens -= 1
        return self._note(received)

    def _note(self, received: Received) -> Answer:
        before = set(self.slack.heads)
        answer = self._answer(received)
        for ts in [*(self.slack.heads.keys() - before), received.json.get("ts")]:
            if ts:
                self.shown.setdefault(ts, []).append(self.slack.heads[ts]["text"])
        answer.delay = ANSWERS_AFTER
        return answer

    @property
    def posts(self) -> int:
        """How many messages were posted, heads and answers."""
        return len(self.slack.heads) + sum(map(len, list(self.slack.replies.values())))

    @property
    def heads(self) -> dict[str, str]:
        """By ts, what each that tells of one incident says now."""
        said = {ts: head["text"] for ts, head in self.slack.heads.items()}
        return {ts: text for ts, text in said.items() if "host-" in text and "[DIGEST]" not in text}


@contextmanager
def watched() -> Iterator[Watched]:
    with receiver() as behind:
        slack = Slack(behind)
        assert behind.answer_to is not None
        here = Watched(slack, behind.answer_to)
        behind.answer_to = here.answer
        yield here


def _told(number: int, status: str, severity: str) -> dict[str, Any]:
    return {
        "name": "Ledger",
        "labels": {"instance": f"host-{number}"},
        "status": status,
        "severity": severity,
    }


ROUNDS = [
    ("firing", "warning"),
    ("firing", "critical"),
    ("acknowledged", "critical"),
    ("resolved", "critical"),
]


def _live_through(tocsin: Machines, seen: Watched) -> None:
    """All incidents fire, grow worse, are taken on and end; in the midst of each a worker is killed."""
    for turn, (status, severity) in enumerate(ROUNDS):
        posts = seen.posts
        for start in range(0, INCIDENTS, 10):
            batch = [_told(number, status, severity) for number in range(start, start + 10)]
            assert tocsin.post(batch, "/alerts/webhook/generic/") in (200, 202)
        tocsin.wait(lambda posts=posts: seen.posts > posts + 5, "Slack to be told of some")
        tocsin.workers[turn % 2].kill()


def test_killed_workers_leave_one_thread_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    with watched() as seen, postgres() as url, Machines(url, workers=2, TOCSIN_SOURCE_BUDGET="0") as tocsin:
        tocsin.run("migrate", "--verbosity", "0")
        config = [word for pair in seen.slack.config.items() for word in ("--set", "=".join(map(str, pair)))]
        rate = ["--per-minute", str(PER_SECOND * 60 * 2), "--digest-above", "0"]
        tocsin.run("channel", "add", "slack", "--driver", "slack", *rate, *config)
        tocsin.start()
        _live_through(tocsin, seen)
        tocsin.wait(lambda: not any(tocsin.query(sql) for sql in UNDONE), "all work to be done", 60)
        with capsys.disabled():
            _show(print, seen)
        _check(seen)
        assert not any('"worker.database_failed"' in worker.said for worker in tocsin.workers), "no deadlock"
        states = Counter(state for (state,) in tocsin.query("SELECT state FROM notify_delivery"))
        assert states.keys() <= {"sent", "folded"}


def _title(text: str) -> str:
    return text.split("] ")[1].split(" (")[0]


def _show(say: Callable[[str], None], seen: Watched) -> None:
    heads = Counter(_title(text) for text in seen.heads.values())
    open_ones = sum(not text.startswith(OVER) for text in seen.heads.values())
    replies = sum(map(len, seen.slack.replies.values()))
    say(
        f"\nledger: incidents {INCIDENTS}, heads {sum(heads.values())}, of these doubled "
        f"{sum(heads.values()) - len(heads)}, left open {open_ones}, replies {replies}, lost "
        f"{len(_lost(seen))}, asked to wait {seen.refused}, kills {KILLS}"
    )


def _lost(seen: Watched) -> set[str]:
    all_of_them = {f"Ledger on host-{number}" for number in range(INCIDENTS)}
    return all_of_them - {_title(text) for text in seen.heads.values()}


def _check(seen: Watched) -> None:
    assert not _lost(seen)
    heads: dict[str, list[str]] = {}
    for text in seen.heads.values():
        heads.setdefault(_title(text), []).append(text)
    assert sum(len(texts) - 1 for texts in heads.values()) <= KILLS
    for title, texts in heads.items():
        assert any(text.startswith(OVER) for text in texts), f"{title} is not shown to be over: {texts}"
    for ts, texts in seen.shown.items():
        _never_back(ts, texts)
    for ts, replies in seen.slack.replies.items():
        _never_back(ts, [reply["text"] for reply in replies])
    assert seen.refused, "Slack asked nobody to wait"


def _never_back(ts: str, texts: list[str]) -> None:
    """What was over once does not go on."""
    over = [text.startswith(OVER) for text in texts]
    assert over == sorted(over), f"{ts}: {texts}"
