"""``tocsin agent``: goes on by itself, tells when the hub goes and returns, and ends when it is told to."""

import socket
from pathlib import Path

import psutil

from tests.agent.processes import Agent
from tests.fakes.hub import Hub, Said
from tocsin.agent.sending import LONGEST_PAUSE, Patience
from tocsin.core.errors import Unavailable

HANGS = """
interval = 1
defaults = false

[checks.memory]

[checks.hangs]
checker = "command"
argv = ["sleep", "60"]
timeout = 30
"""


def test_it_checks_again_and_again_over_one_connection(agent: Agent, hub: Hub) -> None:
    agent.start()
    hub.wait_for("four rounds", lambda: len(hub.rounds) >= 4)
    assert len({post.client for post in hub.posts}) == 1
    assert hub.posts[0].document["interval"] == 1
    assert agent.stop() < 3
    assert len(agent.rounds) <= 1  # found as it was told to end
    assert len(agent.output) == 1 and "checks memory, disk for" in agent.said


def test_it_ends_at_once_with_the_hub_hanging_and_a_check_too(agent: Agent, hub: Hub) -> None:
    agent.config.write_text(HANGS)
    hub.said = [Said(delay=30)]
    agent.start()
    hub.wait_for("a post", lambda: bool(hub.posts))
    assert agent.stop() < 3
    assert agent.rounds


def test_a_check_that_hangs_holds_up_no_other(agent: Agent, hub: Hub) -> None:
    agent.config.write_text(HANGS)
    agent.start()
    hub.wait_for("three rounds", lambda: len(hub.rounds) >= 3)
    assert {alert["check"] for alert in hub.applied} == {"memory"}
    agent.stop()


def test_it_says_once_that_the_hub_is_away_and_once_that_it_is_back(agent: Agent, hub: Hub) -> None:
    hub.stop()
    agent.start("--verbose")
    hub.wait_for("some tries", lambda: agent.said.count("next try in") >= 3, 40)
    hub.start()
    hub.wait_for("its return", lambda: "the hub is back" in agent.said, 40)
    assert agent.said.count("the hub is away") == 1
    agent.stop()
    assert len(agent.rounds) <= 1 and hub.rounds == sorted(hub.rounds)


def test_it_waits_as_long_as_the_hub_asks(agent: Agent, hub: Hub) -> None:
    hub.said = [Said(503, {"Retry-After": "2"}), Said(429, {"Retry-After": "1"})]
    agent.start()
    hub.wait_for("three posts", lambda: len(hub.posts) >= 3)
    first, second, third = hub.posts[:3]
    assert second.at - first.at >= 2 and third.at - second.at >= 1
    agent.stop()


def test_where_nothing_is_checked_it_tells_that_it_lives(agent: Agent, hub: Hub) -> None:
    agent.config.write_text("interval = 1\ndefaults = false\n")
    agent.start()
    hub.wait_for("three signs of life", lambda: len(hub.posts) >= 3)
    assert all(not post.alerts for post in hub.posts)
    assert len({post.document["batch_id"] for post in hub.posts}) == len(hub.posts)
    agent.stop()


def test_what_waited_is_sent_in_large_batches(agent: Agent, hub: Hub) -> None:
    hub.stop()
    for _ in range(3):
        agent.run("push_to_hub")
    hub.start()
    agent.start()
    hub.wait_for("the rounds of before", lambda: len(hub.rounds) >= 4)
    assert len({alert["seq"] for alert in hub.posts[0].alerts}) >= 3
    assert "3 rounds waiting" in agent.output[0]
    agent.stop()


def test_a_check_that_is_taken_out_ends_what_it_found(agent: Agent, hub: Hub) -> None:
    agent.config.write_text(
        "interval = 1\ndefaults = false\n[checks.memory]\n"
        '[checks.gone]\nchecker = "command"\nargv = ["false"]\n'
    )
    agent.start()
    hub.wait_for("both", lambda: {"memory", "gone"} <= {alert["check"] for alert in hub.applied})
    agent.stop()
    agent.config.write_text("interval = 1\ndefaults = false\n[checks.memory]\n")
    for _ in range(2):
        before = len(hub.rounds)
        agent.start()
        hub.wait_for("two rounds", lambda before=before: len(hub.rounds) >= before + 2)
        agent.stop()
    found = [alert["status"] for alert in hub.applied if alert["check"] == "gone"]
    assert found.count("resolved") == 1 and found[-1] == "resolved"
    assert hub.posts[-1].document["agent"]["checks"] == ["memory"]


def test_it_tells_systemd(agent: Agent, hub: Hub, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(20)
        agent.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000")
        assert [heard.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        agent.stop()
        said = b""
        while said in (b"", b"WATCHDOG=1"):
            said = heard.recv(100)
        assert said == b"STOPPING=1"


def test_it_loads_no_more_than_it_needs(agent: Agent, hub: Hub) -> None:
    agent.start()
    hub.wait_for("a round", lambda: bool(hub.rounds))
    assert agent.process is not None
    maps = {Path(found.path).name for found in psutil.Process(agent.process.pid).memory_maps()}
    assert not any("psycopg" in name or "uvloop" in name for name in maps)
    agent.stop()


def test_pauses_grow_are_random_and_have_an_end() -> None:
    away = Unavailable("away")
    for number in range(20):
        pauses = []
        for _ in range(50):
            patience = Patience()
            for _ in range(number):
                patience.after(away)
            pauses.append(patience.after(away))
        assert max(pauses) <= min(LONGEST_PAUSE, 2.0**number)
        assert max(pauses) - min(pauses) > min(LONGEST_PAUSE, 2.0**number) / 4


def test_a_full_hub_does_not_get_all_agents_back_in_one_moment() -> None:
    pauses = [Patience().after(Unavailable("full", 30)) for _ in range(200)]
    assert all(30 <= pause <= 90 for pause in pauses)
    assert len({round(pause, 3) for pause in pauses}) > 100
