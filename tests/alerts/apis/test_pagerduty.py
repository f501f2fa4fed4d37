"""PagerDuty's Events API: what its clients send, what they are answered, and what becomes of it."""

import base64
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import pytest

from tests.asgi import Answer, Request
from tests.doorway import MAX_BYTES, Doorway
from tests.world import World
from tocsin.accounts import services as accounts
from tocsin.alerts.apis import apis
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.core import clock
from tocsin.fleet.models import Event

ENQUEUE, CHANGE, V1 = "/v2/enqueue", "/v2/change/enqueue", "/generic/2010-04-15/create_event.json"
KEY: Final = "0123456789abcdef0123456789abcdef"
PAYLOAD: Final = {"summary": "Disk full on db-1", "source": "db-1", "severity": "critical"}


def _event(action: str = "trigger", dedup_key: str = "disk-db-1", **more: Any) -> dict[str, Any]:
    payload = {"payload": PAYLOAD} if action == "trigger" else {}
    return {"routing_key": KEY, "event_action": action, "dedup_key": dedup_key, **payload, **more}


def _without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


def test_a_trigger_is_answered_as_pagerduty_does_once_it_is_on_disk(door: Doorway) -> None:
    answer = door.post(_event(), ENQUEUE)
    assert answer.status == 202
    assert answer.json == {"status": "success", "message": "Event processed", "dedup_key": "disk-db-1"}
    alert = Alert.objects.get()
    assert (alert.name, alert.status, alert.severity) == ("Disk full on db-1", "firing", "critical")
    assert alert.source == "pagerduty"
    assert alert.labels["instance"] == alert.labels["source"] == "db-1"
    assert len(alert.fingerprint) <= 64 and KEY not in alert.fingerprint


def test_trigger_acknowledge_and_resolve_are_one_alert(door: Doorway) -> None:
    for action in ("trigger", "trigger", "acknowledge", "resolve", "resolve"):
        assert door.post(_event(action), ENQUEUE).status == 202
    assert Alert.objects.get().status == "resolved"
    kinds = list(AlertHistory.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["fired", "acknowledged", "resolved"]


def test_a_trigger_after_the_end_opens_it_again(door: Doorway) -> None:
    for action in ("trigger", "resolve", "trigger"):
        door.post(_event(action), ENQUEUE)
    assert (Alert.objects.get().status, Alert.objects.get().episode) == ("firing", 2)


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
def test_what_nobody_knows_is_recorded_and_makes_nothing(door: Doorway, action: str) -> None:
    answer = door.post(_event(action, "never-seen"), ENQUEUE)
    assert (answer.status, answer.json["status"]) == (202, "success")
    assert not Alert.objects.exists()
    entry = AlertHistory.objects.get()
    assert entry.decision == AlertHistory.IGNORED and entry.reason


def test_one_key_under_two_routing_keys_is_two_alerts(door: Doorway) -> None:
    door.post(_event(), ENQUEUE)
    door.post(_event(routing_key="f" * 32), ENQUEUE)
    door.post(_event("resolve"), ENQUEUE)
    assert sorted(Alert.objects.values_list("status", flat=True)) == ["firing", "resolved"]


def test_an_event_without_a_key_gets_one_of_its_own(door: Doorway) -> None:
    keys = [door.post(_without(_event(), "dedup_key"), ENQUEUE).json["dedup_key"] for _ in range(2)]
    assert keys[0] and keys[0] != keys[1]
    assert Alert.objects.count() == 2
    door.post(_event("resolve", keys[0]), ENQUEUE)
    assert Alert.objects.filter(status="resolved").count() == 1


def test_details_links_and_times_are_kept(door: Doorway) -> None:
    payload = PAYLOAD | {
        "timestamp": "2026-11-21T04:00:00.000+0000",
        "component": "postgres",
        "custom_details": {"used": "97%", "nested": {"a": [1, None]}},
    }
    door.post(_event(payload=payload, links=[{"href": "https://x.example/1", "text": "x"}]), ENQUEUE)
    alert = Alert.objects.get()
    assert alert.labels["component"] == "postgres"
    assert alert.annotations == {
        "used": "97%",
        "nested": '{"a":[1,null]}',
        "summary": "Disk full on db-1",
    }
    assert alert.generator_url == "https://x.example/1"
    assert alert.started_at.isoformat() == "2026-11-21T04:00:00+00:00"


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        (_without(_event(), "routing_key"), ["'routing_key' is missing or blank"]),
        (_event("explode"), ["'event_action' must be one of trigger, acknowledge, resolve"]),
        (_event("resolve", ""), ["'dedup_key' is missing or blank"]),
        (
            _event(payload={"summary": " "}),
            [f"'payload.{name}' is missing or blank" for name in ("summary", "source", "severity")],
        ),
        (_event(payload=PAYLOAD | {"timestamp": "yesterday"}), ["payload.timestamp: "]),
        ([_event()], ["expected a JSON object"]),
        (b"not json", ["neither JSON"]),
        (b"", ["neither JSON"]),
    ],
    ids=["key", "action", "dedup", "payload", "time", "list", "text", "empty"],
)
def test_an_invalid_event_is_refused_as_pagerduty_does(door: Doorway, wrong: Any, errors: list[str]) -> None:
    answer = door.post(wrong, ENQUEUE)
    assert (answer.status, answer.json["status"]) == (400, "invalid event")
    assert answer.json["message"] == "Event object is invalid"
    assert len(answer.json["errors"]) == len(errors)
    for said, meant in zip(answer.json["errors"], errors, strict=True):
        assert said.startswith(meant)
    assert not AlertHistory.objects.exists()
    door.still_works()


def test_a_change_event_is_taken_and_makes_no_alert(door: Doorway) -> None:
    answer = door.post({"routing_key": KEY, "payload": {"summary": "Deploy v1.2.3"}}, CHANGE)
    assert (answer.status, answer.json["status"]) == (202, "success")
    assert door.post({"routing_key": KEY}, CHANGE).status == 400
    kept = Event.objects.get()
    assert (kept.type, kept.message, kept.source) == ("change", "Deploy v1.2.3", "pagerduty")
    assert not AlertHistory.objects.exists()


def test_version_1_works_too(door: Doorway) -> None:
    trigger = {"service_key": KEY, "event_type": "trigger", "description": "down", "details": "text"}
    answer = door.post(trigger, V1)
    assert (answer.status, answer.json["status"]) == (200, "success")
    key = answer.json["incident_key"]
    for action in ("acknowledge", "resolve"):
        more = {"service_key": KEY, "event_type": action, "incident_key": key}
        assert door.post(more, V1).json["incident_key"] == key
    assert Alert.objects.get().status == "resolved"
    assert Alert.objects.get().annotations == {"details": "text", "summary": "down"}
    for wrong in ({}, {"service_key": KEY, "event_type": "resolve"}, {"service_key": KEY, "event_type": "x"}):
        assert door.post(wrong, V1).json["status"] == "invalid event"


@pytest.mark.parametrize("path", ["/v2/enqueue/", "/pagerduty/v2/enqueue", "/a/b-c/v2/enqueue"])
def test_a_path_before_it_is_fine(door: Doorway, path: str) -> None:
    assert door.post(_event(), path).status == 202


@pytest.mark.parametrize("path", ["/v2/enqueues", "/v2/enqueue/x", "//v2/enqueue", "/x?/v2/enqueue"])
def test_other_paths_are_not_its(path: str) -> None:
    assert apis.get("pagerduty")().takes("POST", path) is None
    assert apis.get("pagerduty")().takes("GET", "/v2/enqueue") is None


def test_whoever_has_no_key_is_refused_in_its_shape(closed: Doorway) -> None:
    answers = [
        closed.post(_without(_event(), "routing_key"), ENQUEUE),
        closed.post(b"not json", ENQUEUE),
        closed.post(_event(), ENQUEUE),
    ]
    assert [answer.status for answer in answers] == [401, 401, 403]
    assert {answer.json["status"] for answer in answers} == {"invalid event"}
    assert KEY not in answers[2].body.decode()
    assert not AlertHistory.objects.exists()


def _key(name: str, scope: str) -> str:
    return accounts.create_api_key(name=name, scope=scope, now=clock.now())


def _basic(key: str) -> str:
    return "Basic " + base64.b64encode(f":{key}".encode()).decode()


def test_a_key_opens_as_routing_key_and_in_the_header(closed: Doorway) -> None:
    good, reader = _key("pd", "ingest"), _key("reader", "read")
    assert closed.post(_event(routing_key=good), ENQUEUE).status == 202
    for header in (f"Bearer {good}", _basic(good)):
        assert closed.post(_event(), ENQUEUE, {"Authorization": header}).status == 202
    answer = closed.post(_event(routing_key=reader), ENQUEUE)
    assert (answer.status, "scope is read" in answer.json["message"]) == (403, True)


def test_size_and_gzip_are_bounded_as_everywhere(door: Doorway) -> None:
    assert door.post(b" " * (MAX_BYTES + 1), ENQUEUE).json["status"] == "invalid event"
    answer = door.post(b"no gzip", ENQUEUE, {"Content-Encoding": "gzip"})
    assert (answer.status, answer.json["errors"]) == (400, [answer.json["errors"][0]])
    assert not Alert.objects.exists()


def test_a_queue_that_is_full_says_503(door: Doorway) -> None:
    door.committer._limit = 0

    def both() -> Iterable[Answer]:
        body = [msgspec.json.encode(_event())]
        return door.call_all(Request(ENQUEUE, body), Request(ENQUEUE, body))

    first, second = both()
    assert (first.status, second.status) == (202, 503)
    assert int(second.headers["retry-after"]) >= 1


def test_an_acknowledgement_reaches_the_incident(door: Doorway, world: World) -> None:
    world.channel()
    world.now = clock.now()
    door.post(_event(), ENQUEUE)
    world.work()
    assert world.kinds() == ["firing"]
    door.post(_event("acknowledge"), ENQUEUE)
    world.work()
    assert world.incident().status == "acknowledged"
    door.post(_event("resolve"), ENQUEUE)
    world.work()
    assert (world.incident().status, world.kinds()) == ("resolved", ["firing", "resolved"])


def test_a_trigger_after_a_resolve_begins_anew_whatever_its_clock_says(door: Doorway) -> None:
    for action in ("trigger", "resolve", "trigger"):
        payload = PAYLOAD | {"timestamp": "2026-11-21T04:00:00Z"}
        assert door.post(_event(event_action=action, dedup_key="k", payload=payload), ENQUEUE).status == 202
    alert = Alert.objects.get()
    assert (alert.status, alert.episode) == ("firing", 2)
