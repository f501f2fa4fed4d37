"""The shared corpus of real clients' payloads, read in place where it is present."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tocsin.alerts.apis import alertmanager
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.limits import keep_good
from tocsin.core import severity

CORPUS: Final = Path(__file__).parents[2].parent / "shared" / "corpus"
READ_BY: Final = {"alertmanager": "alertmanager", "generic": "generic", "prometheus-api": "", "amtool": ""}
RECORDED: Final = "2026-11-21T04:30:00+00:00"  # shortly after the recordings


def _cases() -> list[Any]:
    if not (CORPUS / "MANIFEST.json").exists():
        return []
    manifest = msgspec.json.decode((CORPUS / "MANIFEST.json").read_bytes())
    return [case for case in manifest["cases"] if case["source"] in READ_BY]


CASES: Final = _cases()


def _read(case: dict[str, Any]) -> list[AlertEvent]:
    body = (CORPUS / case["file"]).read_bytes()
    if driver := READ_BY[case["source"]]:
        reading = drivers.get(driver)().parse(body)
    else:
        now = datetime.fromisoformat(case["origin"].get("recorded", RECORDED)).astimezone(UTC)
        reading = alertmanager.read(body, now, timedelta(minutes=5))
    reading = keep_good(reading)
    assert reading.errors == []
    return reading.alerts


def _moment(text: str | None) -> datetime | None:
    return None if text is None else msgspec.convert(text, datetime).astimezone(UTC)


def test_the_corpus_is_there() -> None:
    if not CASES:
        pytest.skip("the shared corpus is not beside this repository")
    assert {case["source"] for case in CASES} >= {"alertmanager", "generic", "prometheus-api"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['source']}/{case['case']}")
def test_a_payload_is_read_as_its_source_meant_it(case: dict[str, Any]) -> None:
    events = _read(case)
    expected = case["expected"]
    assert len(events) == expected["alert_count"]
    for event, told in zip(events, expected["alerts"], strict=True):
        assert event.name == told["name"]
        assert event.status == told["status"]
        assert event.severity == severity.read(told["severity_source"])
        assert event.starts_at == _moment(told["starts_at"])
        assert event.ends_at == _moment(told["ends_at"])
        identity = event.labels | {"fingerprint": event.fingerprint}
        assert told["key_labels"].items() <= identity.items()
