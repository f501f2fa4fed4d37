"""Any JSON value whatever gives alerts or a refusal, never another error."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doorway import ANY, API, Doorway
from tocsin.alerts.apis import alertmanager
from tocsin.alerts.detect import detect
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import Reading
from tocsin.alerts.intake.limits import keep_good
from tocsin.core.errors import Rejected
from tocsin.core.labels import fingerprint

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WORDS = st.sampled_from(
    ["alerts", "labels", "annotations", "status", "state", "severity", "name", "title", "alertname",
     "startsAt", "endsAt", "timestamp", "fingerprint", "generatorURL", "url", "groupKey", "message", "host"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["firing", "resolved", "critical", "", "2026-11-21T00:00:00Z", "0001-01-01T00:00:00Z",
     "9999-12-31T23:59:59-01:00", "1795234620", 10**11, -1, 2**64, 1e308, "\0", "\n"]
)  # fmt: skip
KEYS = WORDS | st.text(max_size=3)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
JSON = st.recursive(
    PLAIN | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
ALERTS = st.lists(st.dictionaries(WORDS, JSON, max_size=6), max_size=3)
PAYLOADS = JSON | ALERTS | st.fixed_dictionaries({"alerts": ALERTS, "groupKey": PLAIN})


def _encoded(payload: Any) -> bytes:
    return msgspec.json.encode(payload)


def _check(reading: Reading) -> None:
    """What passed the bounds can be named and stored."""
    for event in keep_good(reading).alerts:
        assert event.labels
        assert len(fingerprint(event.labels)) == 16
        assert event.status in ("firing", "resolved")
        assert event.severity in ("critical", "error", "warning", "info")
        assert all(moment is None or moment.tzinfo is UTC for moment in (event.starts_at, event.ends_at))
        msgspec.json.encode(event)


@pytest.mark.parametrize("name", drivers.names())
@settings(max_examples=200, deadline=None)
@given(payload=PAYLOADS)
def test_any_driver_reads_or_refuses(name: str, payload: Any) -> None:
    driver = drivers.get(name)()
    assert 0 <= driver.fits(payload) <= 100
    try:
        _check(driver.parse(_encoded(payload)))
    except Rejected as refusal:
        assert str(refusal)


@settings(max_examples=200, deadline=None)
@given(payload=PAYLOADS)
def test_the_api_reads_or_refuses(payload: Any) -> None:
    try:
        _check(alertmanager.read(_encoded(payload), NOW, timedelta(minutes=5)))
    except Rejected as refusal:
        assert str(refusal)


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=200) | PAYLOADS.map(_encoded))
def test_any_bytes_are_somebodys_or_refused(body: bytes) -> None:
    try:
        assert detect(body) in drivers.names()
    except Rejected as refusal:
        assert str(refusal)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payloads=st.lists(PAYLOADS.map(_encoded) | st.binary(max_size=100), min_size=5, max_size=5))
def test_the_door_never_fails(door: Doorway, payloads: list[bytes]) -> None:
    for payload in payloads:
        for path, fine in ((ANY, 202), (API, 200)):
            answer = door.post(payload, path)
            assert answer.status in (fine, 400), answer.body
