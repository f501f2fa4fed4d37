"""Opsgenie's Alert API: what its clients send and ask, what they are answered, and what becomes of it."""

from typing import Any, Final

import msgspec
import pytest
from django.test import Client

from tests.asgi import Request
from tests.doorway import Doorway
from tocsin.accounts import services as accounts
from tocsin.alerts import sources
from tocsin.alerts.apis import apis
from tocsin.alerts.models import Alert, AlertHistory, Silence
from tocsin.core import clock
from tocsin.core.ids import new_id

ALERTS: Final = "/v2/alerts"
KEY: Final = {"Authorization": "GenieKey eb243592-faa2-4ba2-a551-1afdf565c889"}
FULL: Final = {
    "message": "Disk full on db-1",
    "alias": "disk/db-1",
    "description": "97 %",
    "entity": "db-1",
    "source": "https://prometheus.example/graph",
    "tags": ["prod", "db"],
    "details": {"mount": "/var", "used": 97},
    "priority": "P1",
}


def _post(door: Doorway, path: str, payload: Any, method: str = "POST") -> Any:
    answer = door.call(Request(path, [msgspec.json.encode(payload)], method=method, headers=KEY))
    assert answer.status == 202, answer.body
    assert {"result", "took", "requestId"} <= answer.json.keys()
    return answer.json


def _ask(client: Client, path: str, status: int = 200) -> Any:
    answer = client.get(path, HTTP_AUTHORIZATION=KEY["Authorization"])
    assert answer.status_code == status, answer.content
    return answer.json()


def test_an_alert_is_on_disk_when_the_answer_comes(door: Doorway) -> None:
    answer = _post(door, ALERTS, FULL)
    assert answer["result"] == "Request will be processed"
    assert answer["requestId"].replace("-", "") == AlertHistory.objects.get().trace_id
    alert = Alert.objects.get()
    assert (alert.name, alert.severity, alert.source) == ("Disk full on db-1", "critical", "opsgenie")
    assert alert.labels["alias"] == "disk/db-1"
    assert (alert.labels["instance"], alert.labels["tags"]) == ("db-1", "prod,db")
    assert alert.annotations["mount"] == "/var"
    assert alert.annotations["description"] == "97 %"
    assert alert.generator_url == "https://prometheus.example/graph"


def test_create_acknowledge_and_close_by_alias_are_one_alert(door: Doorway) -> None:
    _post(door, f"{ALERTS}/", FULL)
    _post(door, ALERTS, FULL)
    for action in ("acknowledge", "notes", "close"):
        _post(door, f"{ALERTS}/disk%2Fdb-1/{action}?identifierType=alias", {"note": "on it"})
    assert Alert.objects.get().status == "resolved"
    kinds = list(AlertHistory.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["fired", "acknowledged", "resolved"]


@pytest.mark.parametrize("kind", ["id", "tiny"])
def test_an_alert_is_closed_by_the_id_that_we_told(door: Doorway, client: Client, kind: str) -> None:
    asked = _post(door, ALERTS, {"message": "minimal"})["requestId"]
    told = _ask(client, f"{ALERTS}/requests/{asked}")["data"]
    assert told["success"] and told["alias"]
    _post(door, f"{ALERTS}/{told['alertId']}/close?identifierType={kind}", {})
    assert Alert.objects.get().status == "resolved"


def test_deleting_an_alert_ends_it(door: Doorway) -> None:
    _post(door, ALERTS, FULL)
    _post(door, f"{ALERTS}/{Alert.objects.get().fingerprint}", {}, method="DELETE")
    assert Alert.objects.get().status == "resolved"


@pytest.mark.parametrize("action", ["acknowledge", "close"])
def test_an_alias_that_nobody_knows_is_recorded_and_makes_nothing(door: Doorway, action: str) -> None:
    _post(door, f"{ALERTS}/nope/{action}?identifierType=alias", {})
    assert not Alert.objects.exists()
    assert AlertHistory.objects.get().decision == AlertHistory.IGNORED


ASKED: Final = [
    ("POST", "unacknowledge", {}),
    ("POST", "snooze", {"endTime": "2099-01-01T00:00:00Z"}),
    ("POST", "assign", {"owner": {"username": "ann@example.org"}}),
    ("POST", "escalate", {"escalation": {"name": "second line"}}),
    ("POST", "notes", {"note": "on it"}),
    ("POST", "tags", {"tags": ["new"]}),
    ("POST", "actions/restart", {}),
    ("PUT", "message", {"message": "Disk fuller"}),
    ("PUT", "description", {"description": "98 %"}),
    ("PUT", "priority", {"priority": "P5"}),
    ("DELETE", "details", {}),
]


@pytest.mark.parametrize(("method", "action", "body"), ASKED)
def test_what_is_asked_about_an_unknown_alert_is_answered_and_makes_nothing(
    door: Doorway, method: str, action: str, body: Any
) -> None:
    _post(door, f"{ALERTS}/disk/{action}?identifierType=alias", body, method=method)
    assert not AlertHistory.objects.exists()
    assert not Silence.objects.exists()


@pytest.mark.parametrize(
    ("method", "action", "body"),
    [
        ("POST", "snooze", {}),
        ("POST", "snooze", {"endTime": "2020-01-01T00:00:00Z"}),
        ("POST", "assign", {}),
        ("POST", "notes", {"note": " "}),
        ("PUT", "message", {}),
        ("PUT", "description", {"message": "x"}),
        ("PUT", "priority", {"priority": "high"}),
    ],
)
def test_what_lacks_what_it_needs_is_a_422(door: Doorway, method: str, action: str, body: Any) -> None:
    path = f"{ALERTS}/disk/{action}?identifierType=alias"
    answer = door.call(Request(path, [msgspec.json.encode(body)], method=method, headers=KEY))
    assert answer.status == 422, answer.body


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH"])
def test_a_heartbeat_is_answered(door: Doorway, method: str) -> None:
    answer = door.call(Request("/v2/heartbeats/nightly backup/ping", [b""], method=method, headers=KEY))
    assert (answer.status, answer.json["result"]) == (202, "PONG - Heartbeat received")
    assert answer.json["requestId"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ALERTS, b"{}"),
        (ALERTS, b"[]"),
        (ALERTS, b"no json"),
        (ALERTS, b'{"message": ""}'),
        (f"{ALERTS}/x/close?identifierType=name", b"{}"),
    ],
)
def test_what_cannot_be_read_is_a_422_in_its_shape(door: Doorway, path: str, body: bytes) -> None:
    answer = door.post(body, path, KEY)
    assert answer.status == 422
    assert answer.json["message"] and answer.json["requestId"]
    assert not AlertHistory.objects.exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ALERTS),
        ("GET", f"{ALERTS}/x"),
        ("POST", f"{ALERTS}/x"),
        ("POST", "/api/v2/alerts"),
        ("POST", "/alertmanager/api/v2/alerts"),
        ("DELETE", "/v2/heartbeats/x/ping"),
    ],
)
def test_other_requests_are_not_its(method: str, path: str) -> None:
    assert apis.get("opsgenie")().takes(method, path) is None


def test_a_key_opens_as_genie_key(closed: Doorway) -> None:
    good = accounts.create_api_key(name="og", scope="ingest", now=clock.now())
    assert closed.post(FULL, ALERTS).status == 401
    assert closed.post(FULL, ALERTS, KEY).status == 403
    assert closed.post(FULL, ALERTS, {"Authorization": f"GenieKey {good}"}).status == 202
    assert closed.post(b"", f"/v2/heartbeats/x/ping?apiKey={good}").status == 202


@pytest.mark.parametrize(
    ("method", "action", "body", "becomes"),
    [
        ("PUT", "message", {"message": "Disk fuller"}, ("name", "Disk fuller")),
        ("PUT", "description", {"description": "98 %"}, ("annotations", {"description": "98 %"})),
        ("PUT", "priority", {"priority": "P5"}, ("labels", {"priority": "P5"})),
        ("PUT", "priority", {"priority": "P5"}, ("severity", "info")),
        ("POST", "tags", {"tags": ["eu", "db"]}, ("labels", {"tags": "db,eu,prod"})),
        ("POST", "details", {"details": {"used": 99}}, ("annotations", {"used": "99"})),
    ],
)
def test_an_alert_is_put_in_other_words(
    door: Doorway, method: str, action: str, body: Any, becomes: tuple[str, Any]
) -> None:
    _post(door, ALERTS, FULL)
    _post(door, f"{ALERTS}/disk%2Fdb-1/{action}?identifierType=alias", body, method=method)
    field, expected = becomes
    found = getattr(Alert.objects.get(), field)
    assert found == expected if isinstance(expected, str) else found | expected == found


def test_tags_and_details_are_taken_away(door: Doorway) -> None:
    _post(door, ALERTS, FULL)
    alert = f"{ALERTS}/disk%2Fdb-1"
    _post(door, f"{alert}/tags?identifierType=alias&tags=prod", {}, method="DELETE")
    _post(door, f"{alert}/details?identifierType=alias&keys=mount,nope", {}, method="DELETE")
    stored = Alert.objects.get()
    assert stored.labels["tags"] == "db"
    assert "mount" not in stored.annotations
    assert stored.annotations["used"] == "97"


def test_a_snooze_is_a_silence_for_this_alert_alone(door: Doorway) -> None:
    _post(door, ALERTS, FULL)
    body = {"endTime": "2099-01-01T00:00:00Z", "user": "ann", "note": "known"}
    _post(door, f"{ALERTS}/disk%2Fdb-1/snooze?identifierType=alias", body)
    silence = Silence.objects.get()
    assert (silence.created_by, silence.ends_at.year) == ("ann", 2099)
    asked = {matcher["name"]: matcher["value"] for matcher in silence.matchers}
    assert asked["alias"] == "disk/db-1"
    assert not asked.keys() & {"tags", "priority", "severity"}
    assert Alert.objects.get().silenced_by == silence.pk


# What they ask.


@pytest.mark.parametrize("prefix", ["", "/opsgenie"])
def test_a_client_reads_what_it_sent(door: Doorway, client: Client, prefix: str) -> None:
    asked = _post(door, prefix + ALERTS, FULL)["requestId"]
    data = _ask(client, f"{prefix}{ALERTS}/requests/{asked}")["data"]
    alert = Alert.objects.get()
    assert (data["success"], data["action"], data["alertId"]) == (True, "Create", alert.fingerprint)
    assert data["alias"] == "disk/db-1"

    for path in (f"{ALERTS}/disk/db-1?identifierType=alias", f"{ALERTS}/{alert.fingerprint}"):
        told = _ask(client, prefix + path)["data"]
        assert (told["id"], told["status"], told["priority"]) == (alert.fingerprint, "open", "P1")
        assert (told["tags"], told["entity"], told["description"]) == (["prod", "db"], "db-1", "97 %")
        assert told["details"] == {"mount": "/var", "used": "97"}
    assert [row["id"] for row in _ask(client, prefix + ALERTS)["data"]] == [alert.fingerprint]
    assert _ask(client, f"{prefix}{ALERTS}/count")["data"] == {"count": 1}


def test_alerts_are_found_by_state_and_alias(door: Doorway, client: Client) -> None:
    for alias in ("a", "b"):
        _post(door, ALERTS, {"message": alias, "alias": alias})
    _post(door, f"{ALERTS}/a/close?identifierType=alias", {})

    def found(query: str) -> list[str]:
        return [row["alias"] for row in _ask(client, f"{ALERTS}?query={query}")["data"]]

    assert found("status:open") == ["b"]
    assert found("status=closed") == ["a"]
    assert found('alias:"b" AND status:open') == ["b"]
    assert "not read" in _ask(client, f"{ALERTS}?query=createdAt>5", 422)["message"]
    assert _ask(client, f"{ALERTS}?limit=1")["data"][0]["alias"] == "b"
    assert _ask(client, f"{ALERTS}?limit=x", 422)["message"]


def test_a_request_that_changed_nothing_was_processed_too(door: Doorway, client: Client) -> None:
    _post(door, ALERTS, FULL)
    again = _post(door, ALERTS, FULL)["requestId"]
    assert _ask(client, f"{ALERTS}/requests/{again}")["data"]["success"] is True
    ended = _post(door, f"{ALERTS}/nope/close?identifierType=alias", {})["requestId"]
    assert "was not open" in _ask(client, f"{ALERTS}/requests/{ended}")["data"]["status"]


def test_a_request_that_never_was_is_a_404(client: Client, transactional_db: None) -> None:
    late = "f" + new_id()[1:]
    for asked in ("43a29c5c-3dbf-4fa4-9c26-f4f71023e120", "nonsense", late):
        assert _ask(client, f"{ALERTS}/requests/{asked}", 404)["requestId"] == asked
    assert _ask(client, f"{ALERTS}/nope?identifierType=alias", 404)["message"] == "Alert does not exist"
    assert _ask(client, f"{ALERTS}/nope?identifierType=name", 422)["message"]


def test_beyond_loopback_a_key_is_needed_to_ask(
    client: Client, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_HOST", "192.0.2.1")
    ingest = accounts.create_api_key(name="i", scope="ingest", now=clock.now())
    reader = accounts.create_api_key(name="r", scope="read", now=clock.now())
    token = sources.create_source(name="og", labels={}, now=clock.now())
    asked = f"{ALERTS}/requests/{new_id()}"
    for path, key, status in (
        (ALERTS, "", 401), (asked, "", 401), (ALERTS, ingest, 403), (asked, ingest, 200),
        (ALERTS, reader, 200), (f"{ALERTS}/count", reader, 200),
        (asked, token, 200), (ALERTS, token, 403),
    ):  # fmt: skip
        headers = {"HTTP_AUTHORIZATION": f"GenieKey {key}"} if key else {}
        assert client.get(path, **headers).status_code == status, (path, status)
