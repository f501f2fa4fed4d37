"""CloudEvents: structured, binary and in batches."""

import base64
from typing import Any, Final

import msgspec
import pytest

from tests.doorway import Doorway
from tocsin.alerts.models import Alert, AlertHistory

PATH: Final = "/alerts/cloudevents/"
STRUCTURED: Final = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
BATCH: Final = {"Content-Type": "application/cloudevents-batch+json"}
ALERT: Final = {"name": "DiskFull", "severity": "critical", "labels": {"instance": "db-1"}}
ENVELOPE: Final = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "shop.alert"}
BINARY: Final = {"ce-specversion": "1.0", "ce-source": "/l%C3%A4den", "ce-type": "shop.alert"}


def test_a_structured_event_is_read_by_the_driver_of_its_data(door: Doorway) -> None:
    event = {**ENVELOPE, "time": "2026-11-21T04:00:00Z", "subject": "db-1", "data": ALERT}
    answer = door.post(event, PATH, {**STRUCTURED, "X-Correlation-Id": "t1"})
    assert (answer.status, answer.json) == (202, {"status": "accepted", "trace_id": "t1", "alerts": 1})
    alert = Alert.objects.get()
    assert (alert.name, alert.severity, alert.source) == ("DiskFull", "critical", "cloudevents")
    told = {name: alert.labels[f"ce_{name}"] for name in ("id", "source", "type", "subject")}
    assert told == {"id": "1", "source": "/shop", "type": "shop.alert", "subject": "db-1"}
    assert alert.started_at.isoformat() == "2026-11-21T04:00:00+00:00"


def test_a_binary_event_has_its_envelope_in_headers(door: Doorway) -> None:
    assert door.post(ALERT, PATH, {**BINARY, "ce-id": "1"}).status == 202
    assert Alert.objects.get().labels["ce_source"] == "/läden"


def test_its_end_finds_an_alert_though_the_ids_differ(door: Doorway) -> None:
    door.post(ALERT, PATH, {**BINARY, "ce-id": "1"})
    door.post({**ALERT, "status": "resolved"}, PATH, {**BINARY, "ce-id": "2"})
    assert Alert.objects.get().status == "resolved"


@pytest.mark.parametrize("data", [
    {"data": msgspec.json.encode(ALERT).decode()},
    {"data_base64": base64.b64encode(msgspec.json.encode(ALERT)).decode()},
])  # fmt: skip
def test_data_may_be_text_or_bytes(door: Doorway, data: dict[str, str]) -> None:
    assert door.post({**ENVELOPE, **data}, PATH, STRUCTURED).status == 202
    assert Alert.objects.get().name == "DiskFull"


def test_one_bad_event_of_a_batch_costs_only_itself(door: Doorway) -> None:
    batch = [{**ENVELOPE, "data": ALERT}, {**ENVELOPE, "id": "2", "data": {"hello": 1}}]
    answer = door.post(batch, PATH, BATCH)
    assert (answer.status, answer.json["alerts"], answer.json["refused"]) == (202, 1, 1)
    assert answer.json["errors"][0]["index"] == 1


@pytest.mark.parametrize(
    ("payload", "headers"),
    [
        ({"data": ALERT}, STRUCTURED),
        (ALERT, {"ce-id": "1"}),
        ({**ENVELOPE, "data": {"hello": 1}}, STRUCTURED),
        ({**ENVELOPE, "data_base64": "%%%"}, STRUCTURED),
        ({**ENVELOPE, "data_base64": "ü"}, STRUCTURED),
        ({**ENVELOPE, "data": ALERT, "time": "yesterday"}, STRUCTURED),
        (ENVELOPE, STRUCTURED),
        (b"no json", STRUCTURED),
    ],
)
def test_what_is_no_cloudevent_is_refused(door: Doorway, payload: Any, headers: dict[str, str]) -> None:
    answer = door.post(payload, PATH, headers)
    assert (answer.status, answer.json["code"]) == (400, "payload")
    assert not AlertHistory.objects.exists()


def test_a_key_is_needed_as_for_webhooks(closed: Doorway) -> None:
    assert closed.post({**ENVELOPE, "data": ALERT}, PATH, STRUCTURED).status == 401
