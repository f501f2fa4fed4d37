"""How the fleet is, over HTTP: shapes, and who may ask."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tocsin.accounts import services as accounts
from tocsin.alerts.events import CheckTold, Push
from tocsin.alerts.intake.beside import Told
from tocsin.core import clock
from tocsin.fleet import heartbeats, instances
from tocsin.fleet.schedule import Schedule
from tocsin.fleet.watch import watch_instances

SUMMARY, STATE = "/api/health/summary", "/api/fleet/state"

pytestmark = pytest.mark.django_db


@pytest.fixture
def beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound wider than to loopback."""
    monkeypatch.setenv("TOCSIN_HOST", "0.0.0.0")


def key(scope: str) -> dict[str, str]:
    made = accounts.create_api_key(name=scope, scope=scope, now=clock.now())
    return {"Authorization": f"Bearer {made}"}


def push(name: str, minutes_ago: float = 0, status: str = "ok") -> None:
    at = clock.now() - timedelta(minutes=minutes_ago)
    checks = (CheckTold("disk", status, f"disk is {status}", {"used_percent": 97.0}, at, 0),)
    told = Push(instance_id=name, hostname=f"{name}.example", interval=60, sent_at=at, checks=checks)
    instances.take([told], Told("cluster", "", "trace", at, True, "192.0.2.7"))


def test_nothing_yet(client: Client) -> None:
    told = client.get(SUMMARY).json()
    assert told.keys() == {"modules", "updatedAt", "cut"}
    assert told["modules"] == [
        {"module": "agents", "total": 0, "online": 0, "devices": []},
        {"module": "heartbeats", "total": 0, "online": 0, "devices": []},
    ]


def test_modules_with_their_devices(client: Client) -> None:
    push("web-1")
    push("web-2", status="critical")
    push("web-3", minutes_ago=30)
    watch_instances(clock.now())
    heartbeats.create(name="backup", schedule=Schedule(period=60), now=clock.now())
    agents, jobs = client.get(SUMMARY).json()["modules"]
    assert agents == {
        "module": "agents", "total": 3, "online": 2,
        "devices": [
            {"id": "web-2", "status": "critical"}, {"id": "web-3", "status": "silent"},
            {"id": "web-1", "status": "ok"},
        ],
    }  # fmt: skip
    assert jobs["devices"] == [{"id": "backup", "status": "unknown"}]


def test_the_state_tells_all_but_secrets(client: Client) -> None:
    push("web-1", status="warning")
    made = heartbeats.create(name="backup", labels={"team": "db"}, now=clock.now())
    answer = client.get(STATE, headers=key("read"))
    told: Any = answer.json()
    assert told.keys() == {"instances", "heartbeats", "devices", "updatedAt", "cut"}
    found = told["instances"][0]
    assert (found["id"], found["hostname"], found["status"]) == ("web-1", "web-1.example", "warning")
    assert found["checks"]["disk"]["message"] == "disk is warning"
    assert found.keys() >= {
        "state", "version", "address", "first_seen_at", "last_seen_at", "silent_since", "interval", "lag",
        "clock_offset", "clock_wrong", "waiting", "dropped",
    }  # fmt: skip
    assert told["heartbeats"][0]["labels"] == {"team": "db"}
    assert made.token not in answer.content.decode()


def test_who_may_ask_on_loopback(client: Client) -> None:
    assert client.get(SUMMARY).status_code == 200
    assert client.get(SUMMARY, headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 401
    assert client.get(STATE).status_code == 401


@pytest.mark.parametrize("path", [SUMMARY, STATE])
def test_who_may_ask_beyond_it(path: str, client: Client, beyond: None) -> None:
    assert client.get(path).status_code == 401
    assert client.get(path, headers=key("ingest")).status_code == 403
    for scope in ("read", "write"):
        assert client.get(path, headers=key(scope)).status_code == 200
    client.force_login(get_user_model().objects.create_user("alice"))
    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 405
