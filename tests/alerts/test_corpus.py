"""The shared corpus of real clients' payloads, read in place where it is present."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tocsin.alerts import times
from tocsin.alerts.apis import alertmanager
from tocsin.alerts.detect import detect
from tocsin.alerts.document import as_text
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.limits import keep_good
from tocsin.core import severity

CORPUS: Final = Path(__file__).parents[2].parent / "shared" / "corpus"
API: Final = {"prometheus-api", "amtool"}  # Alertmanager's own protocol
# What no webhook driver reads: other systems' own protocols and ways in.
ELSEWHERE: Final = {"email", "opsgenie-api", "pagerduty-events", "victorops", "zigbee2mqtt"}
DRIVER_OF: Final = {
    "azure-monitor": "azure", "cloudwatch-sns": "cloudwatch", "gcp-monitoring": "gcp",
    "opsgenie-webhook": "opsgenie", "pagerduty-webhook": "pagerduty", "uptime-kuma": "uptime_kuma",
    "slack-shape": "slack", "telegram-callback": "telegram", "vmware-vrealize": "vrealize",
}  # fmt: skip
RECORDED: Final = "2026-11-21T04:30:00+00:00"  # shortly after the recordings


def _cases() -> list[Any]:
    if not (CORPUS / "MANIFEST.json").exists():
        return []
    manifest = msgspec.json.decode((CORPUS / "MANIFEST.json").read_bytes())
    known = {*drivers.names(), *API}
    return [
        case
        for case in manifest["cases"]
        if _driver(case) in known and case["expected"]["alerts"] is not None
    ]


def _driver(case: dict[str, Any]) -> str:
    source = case["source"]
    return "" if source in ELSEWHERE else DRIVER_OF.get(source, source)


CASES: Final = _cases()


def _read(case: dict[str, Any]) -> list[AlertEvent]:
    body = (CORPUS / case["file"]).read_bytes()
    if case["source"] not in API:
        assert detect(body) == _driver(case)
        reading = drivers.get(_driver(case))().parse(body)
    else:
        now = datetime.fromisoformat(case["origin"].get("recorded", RECORDED)).astimezone(UTC)
        reading = alertmanager.read(body, now, timedelta(minutes=5))
    reading = keep_good(reading)
    assert reading.errors == []
    return reading.alerts


def _moment(text: object) -> datetime | None:
    return times.read(text)


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
        word = str(told["severity_source"] or "")
        if severity.known(word):  # some sources count, and their drivers know from which end
            assert event.severity == severity.read(word)
        assert event.starts_at == _moment(told["starts_at"])
        assert event.ends_at == _moment(told["ends_at"])
        identity = event.labels | {"fingerprint": event.fingerprint}
        assert {
            name: as_text(value) for name, value in told["key_labels"].items()
        }.items() <= identity.items()
