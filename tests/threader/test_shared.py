"""Several instances on a real Redis: one thread for each group, whoever is asked."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkers.servers import redis as running_redis
from tests.fakes.receiver import Answer
from tests.fakes.slack import Slack
from tests.threader.instances import Instance, Webhooks, alert, headline, shown, webhook
from tests.threader.shared import Redis, instances, shared

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with shared(tmp_path_factory.mktemp("redis")) as started:
        yield started


def test_one_webhook_sent_to_three_at_once_gives_one_thread(
    redis: Redis, slack: Slack, tmp_path: Path, group: Webhooks
) -> None:
    barrier = threading.Barrier(3)

    def post(threader: Instance, answers: list[int]) -> None:
        for told in (group(alert("web-1")), group(alert("web-1", 0, 5))):
            barrier.wait()
            answers.append(threader.post(told))

    with instances(3, redis, slack, tmp_path) as three:
        answers: list[int] = []
        threads = [threading.Thread(target=post, args=(each, answers)) for each in three]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [200] * 6
        three[0].wait_idle()
        assert sum(each.get("/stats")[1]["webhooks"]["repeated"] for each in three) == 4
        [replies] = slack.replies.values()
        assert (list(map(headline, slack.heads.values())), len(replies)) == (["[RESOLVED] HighCPU"], 1)
        three[0].stop()
        three[1].post(group(alert("web-1", 7)))
        three[2].wait_idle()
        assert (len(slack.heads), len(replies)) == (1, 2), "another goes on in the thread"


def test_all_wait_when_slack_asks_one_to(redis: Redis, slack: Slack, tmp_path: Path, group: Webhooks) -> None:
    other = redis.url.removesuffix("0") + "1"  # what Slack asked for holds on for a while
    with instances(2, redis, slack, tmp_path, REDIS_URL=other) as two:
        two[0].post(group(alert("web-1")))
        two[0].wait_idle()
        slack.answers.append(Answer(429, b"", {"Retry-After": "1"}))
        for number in range(2, 6):
            assert two[number % 2].post(group(*(alert(f"web-{n}", n) for n in range(1, number + 1)))) == 200
        two[0].wait_idle()
        [replies] = slack.replies.values()
        assert [headline(reply) for reply in replies] == ["[FIRING] HighCPU (5 firing)"]
        assert len(slack.requests) == 3


def test_while_redis_is_away_nothing_is_taken_that_is_not_kept(slack: Slack, tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with shared(tmp_path / "redis") as redis, instances(2, redis, slack, tmp_path) as two:
        slack.answers += [Answer(200, delay=1.5, body=b'{"ok": true, "ts": "1.1"}')]
        assert two[0].post(webhook(alert("web-1"))) == 200
        two[0].wait(lambda: slack.requests, "Slack to be asked")
        assert two[1].post(webhook(alert("web-1"), alert("web-2", 3))) == 200
        redis.kill()
        slack.heads["1.1"] = slack.requests[0].json  # what the slow answer told
        assert two[1].post(webhook(alert("web-9", name="DiskFull"), group="DiskFull")) == 503
        status, told = two[0].get("/health")
        assert (status, told["status"]) == (503, "unavailable")
        assert "threader_health_status 0.0" in two[0].get("/metrics")[1]
        two[0].wait(lambda: "threader.store_lost" in two[0].said, "it to be told")
        redis.start()
        two[0].wait_idle()
        assert two[1].post(webhook(alert("web-9", name="DiskFull"), group="DiskFull")) == 200
        two[1].wait_idle()
    assert len(slack.heads) == 2
    [[reply]] = slack.replies.values()
    assert "web-2" in shown(reply)


def test_one_that_refuses_is_told_without_its_password(slack: Slack, tmp_path: Path) -> None:
    with running_redis(tmp_path, "--requirepass", "another") as port:
        url = f"redis://:wr0ng-s3cret@127.0.0.1:{port}"
        with Instance(tmp_path, {"REDIS_URL": url, "SLACK_WEBHOOK_URL": slack.url}) as threader:
            assert threader.get("/health")[0] == 503
            assert threader.post(webhook(alert("web-1"))) == 503
            threader.wait(lambda: "threader.store_lost" in threader.said, "it to be told")
            assert "invalid username-password" in threader.said and "s3cret" not in threader.said
