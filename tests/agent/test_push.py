"""``tocsin push_to_hub``: one round, sent with all that waits; and what is told where it cannot be."""

import gzip
import time
from pathlib import Path

import msgspec
import pytest
from django.core.management import CommandError, call_command

from tests.agent.processes import QUICK, Agent, payload
from tests.cli.run import tocsin
from tests.fakes.hub import Hub, Said
from tests.fakes.hub import hub as local_hub
from tests.fakes.tls import https

RAISES = QUICK + '[checks.broken]\nchecker = "disk"\npaths = ["/nowhere"]\n'


def test_it_sends_what_it_finds(agent: Agent, hub: Hub) -> None:
    done = agent.spawn("push_to_hub")
    assert done.returncode == 0, done.stderr
    assert f"sent to {hub.url}: 1 round" in done.stdout and "memory: " in done.stdout
    assert [alert["labels"]["checker"] for alert in hub.applied] == ["memory", "disk"]
    assert hub.posts[0].document["interval"] is None
    assert not agent.rounds


def test_without_a_hub_it_names_the_variable(agent: Agent) -> None:
    for options in ((), ("--dry-run",), ("--json",)):
        done = agent.run("push_to_hub", *options, HUB_URL="")
        assert done.returncode == 2 and "HUB_URL is not set" in done.stderr and not done.stdout


def test_a_url_that_is_none_is_told(agent: Agent) -> None:
    for url in ("hub.example.com", "ftp://hub", "http://", "http://hub:port", "http://[::1"):
        done = agent.run("push_to_hub", HUB_URL=url)
        assert done.returncode == 2 and "HUB_URL=" in done.stderr, url


def test_a_dry_run_prints_the_payload_and_keeps_nothing(agent: Agent, hub: Hub) -> None:
    found = payload(agent.run("push_to_hub", "--dry-run"))
    assert found["source"] == "cluster" and len(found["alerts"]) == 2
    assert not hub.posts and not agent.spool.exists()


def test_json_is_all_that_is_printed(agent: Agent, hub: Hub) -> None:
    found = payload(agent.run("push_to_hub", "--json"))
    assert (found["status"], found["sent"], found["waiting"], found["hub"]) == ("sent", 1, 0, hub.url)
    assert {check["check"] for check in found["checks"]} == {"memory", "disk"}
    hub.stop()
    found = payload(agent.run("push_to_hub", "--json"))
    assert (found["status"], found["sent"], found["waiting"]) == ("kept", 0, 1) and found["error"]


def test_some_checkers_only(agent: Agent, hub: Hub) -> None:
    assert agent.run("push_to_hub", "--checkers", "swap, memory").returncode == 0
    assert [alert["check"] for alert in hub.applied] == ["swap", "memory"]
    done = agent.run("push_to_hub", "--checkers", "swop")
    assert done.returncode == 2 and "there is no check 'swop'" in done.stderr


def test_nothing_to_check_is_a_sign_of_life(agent: Agent, hub: Hub) -> None:
    done = agent.run("push_to_hub", CHECKERS_SKIP_ALL="1")
    assert done.returncode == 0 and [post.alerts for post in hub.posts] == [[]]


def test_a_checker_that_raises_stops_no_other(agent: Agent, hub: Hub) -> None:
    agent.config.write_text(RAISES)
    assert agent.run("push_to_hub").returncode == 0
    by_check = {alert["check"]: alert for alert in hub.applied}
    assert by_check["broken"]["check_status"] == "unknown"
    assert "/nowhere" in by_check["broken"]["annotations"]["message"]
    assert by_check["memory"]["check_status"] != "unknown"


def test_what_could_not_be_sent_goes_with_the_next(agent: Agent, hub: Hub) -> None:
    hub.stop()
    for waiting in (1, 2, 3):
        done = agent.run("push_to_hub")
        assert done.returncode == 1
        assert f"kept for later: {waiting} round{'s' if waiting > 1 else ''}" in done.stdout
    hub.start()
    done = agent.run("push_to_hub")
    assert done.returncode == 0 and "4 rounds" in done.stdout
    assert len(hub.posts) == 1 and len(hub.rounds) == 4
    assert [alert["steady"] for alert in hub.applied] == [False] * 2 + [True] * 6


def test_a_lost_answer_doubles_nothing(agent: Agent, hub: Hub) -> None:
    hub.said = [Said(lost=True)]
    assert agent.run("push_to_hub").returncode == 1
    assert agent.run("push_to_hub").returncode == 0
    assert len(hub.rounds) == 2 and len(hub.applied) == 4 and hub.known_again == 2


def test_a_steady_state_repeats_itself_to_the_letter(agent: Agent, hub: Hub) -> None:
    for _ in range(3):
        assert agent.run("push_to_hub", "--checkers", "memory").returncode == 0
    changing = {"seq", "checked_at", "metrics", "annotations", "steady"}
    told = [{name: value for name, value in a.items() if name not in changing} for a in hub.applied]
    assert len(told) == 3 and told[0] == told[1] == told[2]
    assert told[0]["started_at"] == told[0]["ended_at"]


@pytest.mark.parametrize(("status", "secret", "told"), [
    (401, "", "set WEBHOOK_SECRET_CLUSTER, or run tocsin enroll"),
    (403, "wrong", "WEBHOOK_SECRET_CLUSTER and the time must be as they are there"),
    (404, "", "set CLUSTER_ENABLED=1 there"),
    (301, "", "set HUB_URL to https://moved.example.com"),
    (200, "", "which no hub does"),
    (405, "", "which no hub does"),
])  # fmt: skip
def test_a_refusal_keeps_all_and_says_what_to_do(
    agent: Agent, hub: Hub, status: int, secret: str, told: str
) -> None:
    hub.said = [Said(status, {"Location": "https://moved.example.com"}, {"message": "so it is"})]
    done = agent.run("push_to_hub", WEBHOOK_SECRET_CLUSTER=secret)
    assert done.returncode == 1 and told in done.stdout
    assert len(agent.rounds) == 1


def test_a_round_that_is_never_taken_is_set_aside_alone(agent: Agent, hub: Hub) -> None:
    hub.stop()
    agent.run("push_to_hub")
    agent.run("push_to_hub", "--checkers", "memory,swap")
    agent.run("push_to_hub")
    hub.start()
    hub.poison = "swap"
    done = agent.run("push_to_hub")
    assert done.returncode == 0 and "does not take round" in done.stderr
    assert len(hub.rounds) == 3 and hub.rounds == sorted(hub.rounds)
    assert len(list((agent.spool / "bad").iterdir())) == 1
    agent.run("push_to_hub")
    assert sum(hub.posts[-1].document["agent"]["dropped"].values()) == 2


def test_what_the_hub_did_not_take_of_a_batch_is_told(agent: Agent, hub: Hub) -> None:
    hub.said = [Said(body={"errors": [{"index": 1, "message": "name: too long"}]})]
    done = agent.run("push_to_hub")
    assert (
        done.returncode == 0 and "did not take all of it" in done.stderr and "name: too long" in done.stderr
    )
    assert not agent.rounds


def test_a_proxy_that_takes_nothing_costs_nothing(agent: Agent, hub: Hub) -> None:
    hub.said = [Said(400)] * 10
    done = agent.run("push_to_hub")
    assert done.returncode == 1 and "not even a sign of life" in done.stdout
    assert len(agent.rounds) == 1


def test_it_signs_with_the_clusters_secret(tmp_path: Path) -> None:
    with local_hub(secret="of the cluster") as hub, Agent(hub.url, tmp_path) as agent:
        assert agent.run("push_to_hub").returncode == 1
        assert agent.run("push_to_hub", WEBHOOK_SECRET_CLUSTER="of another").returncode == 1
        assert agent.run("push_to_hub", WEBHOOK_SECRET_CLUSTER="of the cluster").returncode == 0
        assert len(hub.rounds) == 3
        assert abs(int(hub.posts[-1].headers["x-tocsin-timestamp"]) - time.time()) < 60


def test_bodies_are_small_on_the_wire(agent: Agent, hub: Hub) -> None:
    hub.stop()
    for _ in range(4):
        agent.run("push_to_hub")
    hub.start()
    agent.run("push_to_hub")
    body = hub.posts[-1].body
    assert len(body) < len(gzip.decompress(body)) / 3


def test_a_private_authority_is_trusted_where_it_is_named(agent: Agent, hub: Hub, tmp_path: Path) -> None:
    with https(hub.port, tmp_path) as secure:
        done = agent.run("push_to_hub", HUB_URL=secure.url)
        assert done.returncode == 1 and "TOCSIN_HUB_CA" in done.stdout
        done = agent.run("push_to_hub", HUB_URL=secure.url, TOCSIN_HUB_CA=str(secure.certificate))
        assert done.returncode == 0, done.stdout
        done = agent.run("push_to_hub", HUB_URL=secure.url, TOCSIN_HUB_CA=str(tmp_path / "none"))
        assert done.returncode == 2 and "TOCSIN_HUB_CA=" in done.stderr


def test_two_do_not_share_a_spool(agent: Agent) -> None:
    agent.config.write_text("interval = 60\ndefaults = false\n")
    agent.start()
    lock = agent.folder / "data" / "agent" / "lock"
    deadline = time.monotonic() + 20
    while not (lock.exists() and lock.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert agent.process is not None
    done = agent.spawn("push_to_hub")
    assert done.returncode == 2
    assert f"is held by tocsin agent, process {agent.process.pid}" in done.stderr


def test_once_is_the_same(agent: Agent, hub: Hub) -> None:
    assert agent.run("agent", "--once").returncode == 0
    assert len(hub.rounds) == 1


def test_it_is_one_of_djangos_commands_too(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match="HUB_URL"):
        call_command("push_to_hub")
    monkeypatch.setenv("HUB_URL", hub.url)
    document = msgspec.json.decode(tocsin("push_to_hub", "--dry-run", "--checkers", "memory"))
    assert document["alerts"][0]["labels"]["checker"] == "memory"
    assert "sent to" in tocsin("push_to_hub", "--checkers", "memory")
    hub.stop()
    with pytest.raises(CommandError, match="kept for later"):
        tocsin("push_to_hub", "--checkers", "memory")
