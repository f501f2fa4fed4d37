"""Any input whatever gives alerts or a refusal, never another error: of every driver, by any way in.

``TOCSIN_FUZZ_EXAMPLES=5000 pytest tests/alerts/test_any_input.py`` tries more than a usual run has time for.
"""

import os
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

import msgspec
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.alerts.test_golden import DRIVERS, _payload
from tests.doorway import ANY, API, Doorway
from tocsin.alerts import document
from tocsin.alerts.apis import alertmanager
from tocsin.alerts.detect import detect
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import AlertEvent, Reading
from tocsin.alerts.intake.limits import keep_good, what_is_wrong
from tocsin.core.errors import Rejected
from tocsin.core.labels import fingerprint

EXAMPLES: Final = int(os.environ.get("TOCSIN_FUZZ_EXAMPLES", "0"))
settings.register_profile("any-input", deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _examples(usual: int, *more: HealthCheck) -> settings:
    """So many examples, or as many as were asked for."""
    profile = settings.get_profile("any-input")
    checks = [*profile.suppress_health_check, *more]
    return settings(profile, max_examples=EXAMPLES or usual, suppress_health_check=checks)


NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
READ_AGAIN: Final = msgspec.json.Decoder(AlertEvent).decode  # refuses what is of another type than declared
WORDS = st.sampled_from(
    ["alerts", "labels", "annotations", "status", "state", "severity", "name", "title", "alertname",
     "startsAt", "endsAt", "timestamp", "fingerprint", "generatorURL", "url", "groupKey", "message", "host",
     "event", "data", "alert", "incident", "rule", "monitor", "payload", "attachments", "text", "type", "id"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["firing", "resolved", "critical", "", "2026-11-21T00:00:00Z", "0001-01-01T00:00:00Z",
     "9999-12-31T23:59:59-01:00", "1795234620", 10**11, -1, 2**64, 1e308, "\0", "\n", "٣", "{", "[]",
     "x" * 9_000]
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
FORMS = st.dictionaries(KEYS, VALUES | PLAIN, min_size=1, max_size=5).map(
    lambda form: urlencode(form).encode()
)


def _element(tag: str, attribute: str, inner: list[bytes] | str) -> bytes:
    within = escape(inner).encode() if isinstance(inner, str) else b"".join(inner)
    return f"<{tag} id={quoteattr(attribute)}>".encode() + within + f"</{tag}>".encode()


TAGS = WORDS | st.sampled_from(["monit", "service", "Envelope", "Body", "Notification"])
TEXTS = st.text(max_size=6)
XML = st.recursive(
    st.builds(_element, TAGS, TEXTS, TEXTS),
    lambda inner: st.builds(_element, TAGS, TEXTS, st.lists(inner, max_size=3)),
    max_leaves=6,
)


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all drivers exist, also that of agents."""
    monkeypatch.setenv("CLUSTER_ENABLED", "1")


def _encoded(payload: Any) -> bytes:
    return msgspec.json.encode(payload)


def _check(reading: Reading) -> None:
    """What passed the bounds can be named and stored."""
    for event in keep_good(reading).alerts:
        assert what_is_wrong(event) is None
        assert len(fingerprint(event.labels)) == 16
        assert event.severity in ("critical", "error", "warning", "info")
        assert all(moment is None or moment.tzinfo is UTC for moment in (event.starts_at, event.ends_at))
        assert READ_AGAIN(msgspec.json.encode(event)) == event
    msgspec.json.encode(reading.beside)


def _reads_or_refuses(name: str, body: bytes) -> None:
    try:
        _check(drivers.get(name)().parse(body))
    except Rejected as refusal:
        assert str(refusal)


def _try_all(body: bytes) -> None:
    """What is generated once is given to every driver."""
    for name in drivers.names():
        note(f"{name} is given {body!r}")
        _reads_or_refuses(name, body)


@_examples(100)
@given(payload=PAYLOADS)
def test_every_driver_reads_or_refuses_any_json(payload: Any) -> None:
    for name in drivers.names():
        note(f"{name} is asked whether it fits")
        assert 0 <= drivers.get(name)().fits(payload) <= 100
    _try_all(_encoded(payload))


@_examples(60)
@given(body=XML)
def test_every_driver_reads_or_refuses_any_xml(body: bytes) -> None:
    _try_all(body)


@_examples(60)
@given(body=FORMS)
def test_every_driver_reads_or_refuses_any_form(body: bytes) -> None:
    _try_all(body)


@_examples(60)
@given(body=st.binary(max_size=200))
def test_every_driver_reads_or_refuses_any_bytes(body: bytes) -> None:
    _try_all(body)


RECORDED: Final = sorted({golden.parent.name for golden in DRIVERS})


@cache
def _bodies(name: str) -> list[bytes]:
    return [_payload(golden) for golden in DRIVERS if golden.parent.name == name]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each place in a payload: what holds it, and its key there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)


def _inner(value: object) -> Any:
    """What JSON written in a text holds; some tools nest it so."""
    try:
        return msgspec.json.decode(value) if isinstance(value, str) and value[:1] in ("{", "[") else None
    except msgspec.DecodeError:
        return None


@st.composite
def mutated(draw: st.DrawFn, payloads: list[Any]) -> Any:
    """A recorded payload of which some places are gone, and some hold anything."""
    payload = deepcopy(draw(st.sampled_from(payloads)))
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(payload))
        if not places:
            return draw(JSON)
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        inner = _inner(holder[key])
        if inner and draw(st.booleans()):
            holder[key] = _encoded(draw(mutated([inner]))).decode()
        elif draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = draw(JSON)
    return payload


@pytest.mark.parametrize("name", RECORDED)
@_examples(15)
@given(data=st.data())
def test_any_driver_reads_or_refuses_what_its_payloads_may_become(name: str, data: st.DataObject) -> None:
    payload = data.draw(mutated([document.read(body) for body in _bodies(name)]))
    body = _encoded(payload)
    assert 0 <= drivers.get(name)().fits(payload) <= 100
    _reads_or_refuses(name, body)
    try:
        assert detect(body) in drivers.names()
    except Rejected as refusal:
        assert str(refusal)


@pytest.mark.parametrize("name", RECORDED)
@_examples(5)
@given(data=st.data())
def test_any_driver_reads_or_refuses_its_payloads_broken_on_the_way(name: str, data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(_bodies(name)))
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 40)))
    _reads_or_refuses(name, body[:start] + data.draw(st.binary(max_size=4)) + body[end:])


@_examples(100)
@given(payload=PAYLOADS)
def test_the_api_reads_or_refuses(payload: Any) -> None:
    try:
        _check(alertmanager.read(_encoded(payload), NOW, timedelta(minutes=5)))
    except Rejected as refusal:
        assert str(refusal)


@_examples(60)
@given(body=st.binary(max_size=200) | PAYLOADS.map(_encoded) | XML | FORMS)
def test_any_bytes_are_somebodys_or_refused(body: bytes) -> None:
    try:
        assert detect(body) in drivers.names()
    except Rejected as refusal:
        assert str(refusal)


@_examples(20, HealthCheck.function_scoped_fixture)
@given(payloads=st.lists(PAYLOADS.map(_encoded) | st.binary(max_size=100), min_size=5, max_size=5))
def test_the_door_never_fails(door: Doorway, payloads: list[bytes]) -> None:
    for payload in payloads:
        for path, fine in ((ANY, 202), (API, 200)):
            answer = door.post(payload, path)
            assert answer.status in (fine, 400, 422), answer.body
