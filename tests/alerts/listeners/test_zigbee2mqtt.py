"""What Zigbee2MQTT publishes, as alerts. Retained messages are states, not news."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.alerts.events import AlertEvent, Reading
from tocsin.alerts.intake.limits import keep_good
from tocsin.alerts.listeners.zigbee2mqtt import LATENESS, LONGEST_WINDOW, Reader

NOW: Final = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
BASE: Final = "zigbee2mqtt"
CORPUS: Final = Path(__file__).parents[3].parent / "shared" / "corpus"


def told(reader: Reader, place: str, payload: object, retained: bool = False, now: datetime = NOW) -> Any:
    """Name and status of what a message changes."""
    body = payload.encode() if isinstance(payload, str) else msgspec.json.encode(payload)
    events = reader.read(f"{BASE}/{place}", body, retained, now)
    return [(event.name, event.status) for event in events]


@pytest.mark.parametrize("wrap", [str, lambda state: {"state": state}], ids=["text", "json"])
def test_the_bridge_goes_and_comes_back(wrap: Any) -> None:
    reader = Reader(BASE)
    assert told(reader, "bridge/state", wrap("online")) == []
    assert told(reader, "bridge/state", wrap("offline")) == [("bridge offline", "firing")]
    assert told(reader, "bridge/state", wrap("online")) == [("bridge online", "resolved")]


@pytest.mark.parametrize("device", ["lamp", "Küche/Lampe", "a/b/c", "设备", "state"])
def test_a_device_of_any_name_goes_and_comes_back(device: str) -> None:
    reader = Reader(BASE)
    topic = f"{BASE}/{device}/availability"
    (gone,) = reader.read(topic, b'{"state": "offline"}', False, NOW)
    (back,) = reader.read(topic, b"online", False, NOW)
    assert (gone.name, gone.status, gone.labels["device"]) == ("device offline", "firing", device)
    assert (back.name, back.status) == ("device online", "resolved")
    assert gone.fingerprint == back.fingerprint


def test_a_device_that_is_removed_is_missed_no_more() -> None:
    reader = Reader(BASE)
    told(reader, "lamp/availability", "offline")
    assert told(reader, "lamp/availability", "") == [("device online", "resolved")]


def test_a_retained_state_is_told_once_however_often_we_connect() -> None:
    reader = Reader(BASE)
    assert told(reader, "lamp/availability", "offline", True) == [("device offline", "firing")]
    for _ in range(3):
        assert told(reader, "lamp/availability", "offline", True) == []
        assert told(reader, "door/availability", "online", True) == []


def test_a_retained_online_ends_what_was_open_before_we_started() -> None:
    (gone,) = Reader(BASE).read(f"{BASE}/lamp/availability", b"offline", False, NOW)
    later = Reader(BASE, [gone.fingerprint])
    assert told(later, "lamp/availability", "offline", True) == []
    assert told(later, "lamp/availability", "online", True) == [("device online", "resolved")]


def test_fingerprints_tell_base_topics_devices_and_kinds_apart() -> None:
    found = set()
    for base in ("one", "two"):
        for place in ("a/availability", "b/availability", "bridge/state"):
            found.update(e.fingerprint for e in Reader(base).read(f"{base}/{place}", b"offline", False, NOW))
    assert len(found) == 6


def test_what_is_not_below_the_base_topic_is_somebody_elses() -> None:
    assert Reader("home/zigbee").read("home/zigbee2/lamp/availability", b"offline", False, NOW) == []
    assert Reader("home/zigbee").read("home/zigbee/lamp/availability", b"offline", False, NOW)


@pytest.mark.parametrize("info", [
    {"permit_join_end": int((NOW + timedelta(seconds=60)).timestamp() * 1000)},
    {"permit_join_timeout": 60},
])  # fmt: skip
def test_a_network_left_open_is_told_once_its_window_is_over(info: dict[str, Any]) -> None:
    reader = Reader(BASE)
    assert told(reader, "bridge/info", {"permit_join": True, **info}) == []
    assert reader.overdue(NOW + timedelta(seconds=60)) == []
    (left_open,) = reader.overdue(NOW + timedelta(seconds=61) + LATENESS)
    assert (left_open.name, left_open.status) == ("bridge permit_join", "firing")
    assert reader.overdue(NOW + timedelta(hours=1)) == []
    closed = {"permit_join": False}
    assert told(reader, "bridge/info", closed) == [("bridge permit_join", "resolved")]


def test_a_network_that_closes_in_time_is_nothing_to_tell() -> None:
    reader = Reader(BASE)
    told(reader, "bridge/info", {"permit_join": True, "permit_join_timeout": 254})
    assert told(reader, "bridge/info", {"permit_join": False}) == []
    assert reader.overdue(NOW + timedelta(hours=1)) == []


@pytest.mark.parametrize("window", [{}, {"permit_join_timeout": 0}, {"permit_join_end": 1e300}])
def test_without_a_window_the_longest_counts(window: dict[str, Any]) -> None:
    reader = Reader(BASE)
    told(reader, "bridge/info", {"permit_join": True, **window})
    assert reader.overdue(NOW + LONGEST_WINDOW) == []
    assert reader.overdue(NOW + LONGEST_WINDOW + LATENESS + timedelta(seconds=1))


def test_a_network_found_open_past_its_end_is_told_at_once() -> None:
    past = int((NOW - timedelta(minutes=5)).timestamp() * 1000)
    info = {"permit_join": True, "permit_join_end": past}
    assert told(Reader(BASE), "bridge/info", info, True) == [("bridge permit_join", "firing")]


def test_readings_of_sensors() -> None:
    reader = Reader(BASE)
    assert told(reader, "cellar", {"water_leak": True, "battery_low": False}) == [("water_leak", "firing")]
    assert told(reader, "cellar", {"water_leak": True}) == []
    assert told(reader, "cellar", {"water_leak": False}) == [("water_leak", "resolved")]
    assert told(reader, "cellar/set", {"water_leak": True}) == []
    assert told(reader, "cellar", {"water_leak": "perhaps"}) == []


def test_a_failed_interview_is_over_when_it_succeeds() -> None:
    def interview(status: str) -> dict[str, Any]:
        return {"type": "device_interview", "data": {"ieee_address": "0x84fd", "status": status}}

    reader = Reader(BASE)
    assert told(reader, "bridge/event", interview("failed"), retained=True) == []
    assert told(reader, "bridge/event", interview("failed")) == [("device_interview failed", "firing")]
    assert told(reader, "bridge/event", interview("started")) == []
    assert told(reader, "bridge/event", interview("successful")) == [("device_interview failed", "resolved")]


def test_a_network_open_until_the_end_of_all_time_stops_nothing() -> None:
    reader = Reader(BASE)
    told(reader, "bridge/info", {"permit_join": True, "permit_join_end": 253402300799000})
    assert reader.overdue(NOW) == []


def test_a_nul_in_an_address_loses_no_alert() -> None:
    payload = b'{"type": "device_interview", "data": {"ieee_address": "0x\\u0000", "status": "failed"}}'
    events = Reader(BASE).read(f"{BASE}/bridge/event", payload, False, NOW)
    assert len(keep_good(Reading(events)).alerts) == 1


def _cases() -> list[Any]:
    if not (CORPUS / "MANIFEST.json").exists():
        return []
    manifest = msgspec.json.decode((CORPUS / "MANIFEST.json").read_bytes())
    return [case for case in manifest["cases"] if case["source"] == BASE]


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["case"])
def test_recorded_messages_are_read_as_expected(case: dict[str, Any]) -> None:
    recorded = msgspec.json.decode((CORPUS / case["file"]).read_bytes())
    reader = Reader(BASE)
    events: list[AlertEvent] = []
    for message in recorded if isinstance(recorded, list) else [recorded]:
        events += reader.read(message["topic"], message["payload"].encode(), message["retain"], NOW)
    found = [(event.name, event.status) for event in keep_good(Reading(events)).alerts]
    assert found == [(alert["name"], alert["status"]) for alert in case["expected"]["alerts"]]
    for event, alert in zip(events, case["expected"]["alerts"], strict=True):
        assert alert["key_labels"].items() <= event.labels.items()


PLACES = st.sampled_from(
    ["bridge/state", "bridge/info", "bridge/event", "lamp", "lamp/availability", "/availability", "a/set"]
) | st.text(max_size=10)
WORDS = st.sampled_from(
    ["state", "permit_join", "permit_join_end", "permit_join_timeout", "data", "type", "status", "smoke",
     "ieee_address", "offline", "failed", "device_leave"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(
    messages=st.lists(
        st.tuples(PLACES, st.binary(max_size=40) | JSON.map(msgspec.json.encode), st.booleans()), max_size=4
    )
)
def test_any_messages_give_alerts_that_can_be_stored(messages: list[tuple[str, bytes, bool]]) -> None:
    reader = Reader(BASE)
    for place, payload, retained in messages:
        events = reader.read(f"{BASE}/{place}", payload, retained, NOW)
        for event in events + reader.overdue(NOW + timedelta(days=1)):
            assert len(event.fingerprint) == 16
            msgspec.json.encode(event)
