"""Three instances of the threader on one Redis, one killed midway: a thread for each group, replies in order,
none lost, and at most the one message twice that was under way."""

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes import slack as fake
from tests.fakes.slack import Slack
from tests.threader.instances import Instance, alert, headline, webhook
from tests.threader.shared import instances, shared

pytestmark = pytest.mark.faults

GROUPS, STATES, TWICE = 200, 5, 2
SENDERS = 6


def state(group: str, number: int) -> dict[str, object]:
    """A group grows by an alert each time; at last all is over."""
    over = 10 if number == STATES - 1 else None
    count = min(number + 1, STATES - 1)
    return webhook(*(alert(f"web-{n}", n, over, name=group) for n in range(count)), group=group)


class Alertmanagers:
    """Senders that post each state of a group to two instances, the next after both were answered."""

    def __init__(self, three: list[Instance], chance: random.Random) -> None:
        self._three, self._chance = three, chance
        self._turns = [f"Group{number:03}" for number in range(GROUPS)] * STATES
        chance.shuffle(self._turns)
        self._next = Counter[str]()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self.posts = self.accepted = self.refused = 0
        self.midway = threading.Event()

    def run(self) -> None:
        with ThreadPoolExecutor(SENDERS) as senders:
            list(senders.map(self._send, self._turns))

    def _send(self, group: str) -> None:
        with self._locks[group]:
            told = state(group, self._next[group])
            for threader in self._chance.sample(self._three, TWICE):
                self._post(threader, told)
            self._next[group] += 1
        if self.accepted > GROUPS * STATES * TWICE * 0.4:
            self.midway.set()

    def _post(self, threader: Instance, told: dict[str, object]) -> None:
        """Like Alertmanager: again until it is taken, then by another of the instances."""
        self.posts += 1
        while threader.post(told) != 200:
            self.refused += 1
            threader = self._chance.choice(self._three)
        self.accepted += 1


def replies_of(slack: Slack) -> dict[str, list[list[str]]]:
    """By group, what stands below each of its heads."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    for at, head in slack.heads.items():
        below = [headline(reply) for reply in slack.replies.get(at, [])]
        found[headline(head).split("] ")[1].split()[0]].append(below)
    return found


class Ledger:
    """What stands in Slack, against what was posted."""

    def __init__(self, slack: Slack) -> None:
        self.found = replies_of(slack)
        self.lost = self.doubled = self.unordered = 0
        for group, threads in self.found.items():
            told = [line for below in threads for line in below]
            wanted = [f"[FIRING] {group} ({number} firing)" for number in range(2, STATES)]
            wanted.append(f"[RESOLVED] {group}")
            self.lost += len(set(wanted) - set(told))
            self.doubled += len(told) - len(set(told)) + len(threads) - 1
            self.unordered += list(dict.fromkeys(told)) != wanted

    def show(self, say: Callable[[str], None], senders: Alertmanagers) -> None:
        """Print it."""
        threads = [below for each in self.found.values() for below in each]
        say(
            f"\nledger: groups {GROUPS}, posted {senders.posts}, accepted {senders.accepted}, "
            f"refused and posted again {senders.refused}, threads {len(threads)}, "
            f"replies {sum(map(len, threads))}, out of order {self.unordered}, "
            f"lost {self.lost}, doubled {self.doubled}, kills 1"
        )


def test_two_thousand_webhooks_and_one_dead_instance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(20261121)
    with (
        fake.slack() as slack,
        shared(tmp_path) as redis,
        instances(3, redis, slack, tmp_path, LOG_LEVEL="WARNING") as three,
    ):
        senders = Alertmanagers(three, chance)
        sending = threading.Thread(target=senders.run)
        sending.start()
        assert senders.midway.wait(60)
        three[0].kill()
        three[0].start()
        sending.join(60)
        three[1].wait_idle(30)
        ledger = Ledger(slack)
        with capsys.disabled():
            ledger.show(print, senders)
        assert senders.accepted == GROUPS * STATES * TWICE
        assert set(ledger.found) == {f"Group{number:03}" for number in range(GROUPS)}
        assert (ledger.lost, ledger.unordered) == (0, 0)
        assert ledger.doubled <= 1
        assert all(headline(head).startswith("[RESOLVED]") for head in slack.heads.values())
