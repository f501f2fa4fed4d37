"""Agents' pushes at a hub's door: who may push what, and what becomes of it."""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.doorway import Doorway, doorway
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.checkers.models import CheckRun
from tocsin.core import clock
from tocsin.fleet import enrolment
from tocsin.fleet.models import Instance

PATH = "/alerts/webhook/cluster/"
SECRET = "shared"
PUSH: dict[str, Any] = {
    "source": "cluster",
    "instance_id": "web-server-03",
    "hostname": "ip-10-0-1-42",
    "version": "1.0",
    "alerts": [
        {
            "fingerprint": "cpu-ip-10-0-1-42",
            "name": "CPU usage critical",
            "status": "firing",
            "severity": "critical",
            "started_at": "2026-03-29T12:00:00Z",
            "ended_at": None,
            "labels": {"checker": "cpu", "hostname": "ip-10-0-1-42"},
            "annotations": {"message": "CPU at 95.2%"},
            "metrics": {"cpu_percent": 95.2},
        }
    ],
}
HEARTBEAT = PUSH | {"alerts": []}


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER_ENABLED", "1")


@pytest.fixture
def door(transactional_db: None) -> Iterator[Doorway]:
    with doorway() as way:
        yield way


@pytest.fixture
def closed(transactional_db: None) -> Iterator[Doorway]:
    with doorway(open_door=False) as way:
        yield way


def _signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Cluster-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def _key(instance_id: str = "web-server-03") -> str:
    token = enrolment.offer(now=clock.now())
    return enrolment.enrol(token=token, instance_id=instance_id, hostname="h", version="1", now=clock.now())


def test_a_push_makes_alerts_and_is_a_sign_of_life(door: Doorway) -> None:
    assert door.post(PUSH, PATH).json["alerts"] == 1
    alert = Alert.objects.get()
    assert (alert.fingerprint, alert.status, alert.severity) == ("cpu-ip-10-0-1-42", "firing", "critical")
    assert alert.labels["instance_id"] == "web-server-03"
    assert (alert.labels["hostname"], alert.labels["checker"]) == ("ip-10-0-1-42", "cpu")
    assert msgspec.json.decode(alert.annotations["metrics"]) == {"cpu_percent": 95.2}
    instance = Instance.objects.get()
    assert (instance.instance_id, instance.state, instance.status) == ("web-server-03", "up", "critical")
    run = CheckRun.objects.get()
    assert (run.checker, run.status, run.metrics) == ("cpu", "critical", {"cpu_percent": 95.2})


def test_no_alerts_are_a_sign_of_life_too(door: Doorway) -> None:
    answer = door.post(HEARTBEAT, PATH)
    assert (answer.status, answer.json["alerts"]) == (202, 0)
    assert Instance.objects.get().hostname == "ip-10-0-1-42"


def test_it_is_found_by_itself_too(door: Doorway) -> None:
    assert door.post(PUSH, "/alerts/webhook/").status == 202
    assert Alert.objects.get().source == "cluster"


@pytest.mark.parametrize(
    "wrong",
    [{"source": "agent"}, {"instance_id": ""}, {"alerts": None}, {"alerts": {}}, {"instance_id": "x" * 300}],
)
def test_what_is_no_push_is_refused_and_changes_nothing(door: Doorway, wrong: dict[str, Any]) -> None:
    assert door.post(PUSH | wrong, PATH).status == 400
    assert not Instance.objects.exists()
    assert not Alert.objects.exists()


def test_a_fingerprint_that_is_missing_is_the_same_each_time(door: Doorway) -> None:
    bare = {key: told for key, told in PUSH["alerts"][0].items() if key != "fingerprint"}
    for value in (95.2, 96.0):
        door.post(PUSH | {"alerts": [bare | {"metrics": {"cpu_percent": value}}]}, PATH)
    assert Alert.objects.count() == 1


def test_without_cluster_enabled_there_is_no_such_driver(
    door: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTER_ENABLED", "0")
    answer = door.post(PUSH, PATH)
    assert answer.status == 404
    assert "cluster" not in answer.message.partition("known:")[2]


def test_a_steady_state_costs_no_journal_row(door: Doorway) -> None:
    fine = PUSH["alerts"][0] | {
        "status": "resolved", "severity": "info", "ended_at": "2026-03-29T12:00:00Z", "check_status": "ok"
    }  # fmt: skip
    door.post(PUSH | {"alerts": [fine]}, PATH)
    before = AlertHistory.objects.count()
    for number in range(3):
        door.post(PUSH | {"alerts": [fine | {"metrics": {"cpu_percent": number}}]}, PATH)
    assert AlertHistory.objects.count() == before
    assert CheckRun.objects.count() == 1


# Who may push.


def test_signed_with_the_shared_secret(closed: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET_CLUSTER", SECRET)
    body = msgspec.json.encode(PUSH)
    assert closed.post(body, PATH).status == 403
    assert closed.post(body, PATH, _signed(body, "wrong")).status == 403
    assert closed.post(body[:-1], PATH, _signed(body)).status == 403, "cut short on its way"
    assert not Instance.objects.exists()
    assert closed.post(body, PATH, _signed(body)).status == 202
    assert closed.post(body, PATH, _signed(body)).status == 202, "sent again, which changes nothing"
    assert AlertHistory.objects.count() == 1


def test_a_key_of_its_own_opens_for_its_own_instance_alone(
    closed: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET_CLUSTER", SECRET)
    key = {"Authorization": f"Bearer {_key()}"}
    assert closed.post(PUSH, PATH, key).status == 202
    answer = closed.post(PUSH | {"instance_id": "another"}, PATH, key)
    assert (answer.status, "web-server-03" in answer.message) == (403, True)
    for path in ("/alerts/webhook/generic/", "/api/v2/alerts", "/v2/alerts", "/alerts/source/x/"):
        assert closed.post({"name": "x", "message": "x"}, path, key).status == 403, path
    assert list(Instance.objects.values_list("instance_id", flat=True)) == ["web-server-03"]


def test_a_revoked_key_opens_nothing(transactional_db: None) -> None:
    key = {"Authorization": f"Bearer {_key()}"}
    enrolment.revoke(instance_id="web-server-03", now=clock.now())
    with doorway(open_door=False) as door:
        answer = door.post(PUSH, PATH, key)
        assert (answer.status, "revoked" in answer.message) == (403, True)
    assert not Alert.objects.exists()
