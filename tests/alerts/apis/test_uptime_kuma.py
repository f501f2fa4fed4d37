"""Uptime Kuma's push URL."""

import pytest

from tests.asgi import Answer, Request
from tests.doorway import Doorway
from tests.world import World
from tocsin.alerts import sources
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.core import clock
from tocsin.fleet import heartbeats
from tocsin.fleet.models import Heartbeat, Ping


def _push(door: Doorway, query: str, token: str = "a1b2c3", method: str = "GET") -> Answer:
    return door.call(Request(f"/api/push/{token}?{query}", [b""], method=method))


@pytest.fixture
def heard(world: World) -> World:
    """A world with a channel, by the real clock, as the door goes by it."""
    world.channel()
    world.now = clock.now()
    return world


def _work(world: World) -> None:
    world.now = clock.now()
    world.work()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_down_fires_and_up_ends_it(door: Doorway, heard: World, method: str) -> None:
    answer = _push(door, "status=down&msg=backup%20failed&ping=12", method=method)
    assert (answer.status, answer.json) == (200, {"ok": True})
    _work(heard)
    alert = Alert.objects.get()
    assert (alert.status, alert.severity, alert.name) == ("firing", "critical", "HeartbeatDown")
    assert alert.annotations["output"] == "backup failed\nping: 12 ms"
    assert "a1b2c3" not in f"{alert.name} {alert.labels} {alert.fingerprint} {alert.annotations}"
    _push(door, "status=up&msg=OK&ping=", method=method)
    _work(heard)
    assert Alert.objects.get().status == "resolved"
    assert heard.kinds() == ["firing", "resolved"]


def test_each_token_is_a_heartbeat_of_its_own(door: Doorway, heard: World) -> None:
    _push(door, "status=down", "token-one")
    _push(door, "status=down", "token-two")
    _push(door, "", "token-one")
    _work(heard)
    assert sorted(Alert.objects.values_list("status", flat=True)) == ["firing", "resolved"]
    assert len(set(Heartbeat.objects.values_list("name", flat=True))) == 2


def test_one_that_never_failed_writes_nothing_into_the_journal(door: Doorway, heard: World) -> None:
    for _ in range(3):
        assert _push(door, "status=up&msg=OK&ping=3").json == {"ok": True}
        _work(heard)
    assert not AlertHistory.objects.exists()
    assert Ping.objects.count() == 3


def test_another_status_is_refused_in_its_shape(door: Doorway) -> None:
    answer = _push(door, "status=maybe")
    assert (answer.status, answer.json["ok"]) == (400, False)
    assert "up or down" in answer.json["msg"]
    assert _push(door, "&".join(f"a{n}=1" for n in range(2_000))).status == 400
    assert not Ping.objects.exists()


def test_a_sources_token_in_the_path_opens(closed: Doorway) -> None:
    token = sources.create_source(name="nightly-backup", labels={"team": "db"}, now=clock.now())
    refused = _push(closed, "status=down")
    assert (refused.status, refused.json["msg"]) == (404, "Monitor not found or not active.")
    assert _push(closed, "status=down", token).json == {"ok": True}
    made = Heartbeat.objects.get()
    assert (made.name, made.sender) == ("nightly-backup", "nightly-backup")
    assert made.token != token
    sources.revoke_source(name="nightly-backup")
    closed.door._access._read_at = float("-inf")
    assert _push(closed, "status=up", token).status == 404


def test_a_token_that_was_taken_over_opens_beyond_loopback(closed: Doorway) -> None:
    heartbeats.create(name="old-monitor", token="Zx8fJ2", now=clock.now())
    assert _push(closed, "status=up", "Zx8fJ2").json == {"ok": True}
    assert Heartbeat.objects.get().state == "up"
