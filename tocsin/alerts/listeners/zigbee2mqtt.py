"""What Zigbee2MQTT publishes, as alerts: values in, values out.

Its topics tell states, live or retained. A ``Reader`` remembers which of them fire and gives the
changes alone, so that a state heard of again, as on each reconnect, is nothing new.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from tocsin.alerts.decoding import UNREADABLE
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity
from tocsin.core.labels import fingerprint

SOURCE: Final = "zigbee2mqtt"
LONGEST_WINDOW: Final = timedelta(seconds=254)  # what a Zigbee network can be opened for at once
LATENESS: Final = timedelta(seconds=10)  # clocks differ, and the news of the closing takes its time
PERMIT_JOIN: Final = "bridge permit_join"
_READINGS: Final = {
    "water_leak": severity.CRITICAL,
    "smoke": severity.CRITICAL,
    "gas": severity.CRITICAL,
    "carbon_monoxide": severity.CRITICAL,
    "tamper": severity.WARNING,
    "battery_low": severity.WARNING,
}
_STATES: Final[dict[str, Status]] = {"offline": "firing", "online": "resolved"}
_INTERVIEWS: Final[dict[str, Status]] = {"failed": "firing", "successful": "resolved"}
_COMMANDS: Final = ("/set", "/get")
_decode = msgspec.json.Decoder().decode


class Reader:
    """Reads the messages below one base topic; ``firing`` are the fingerprints that do already."""

    def __init__(self, base: str, firing: Iterable[str] = ()) -> None:
        self._base = base
        self._firing = set(firing)
        self._closes_at: datetime | None = None  # when the open network should have closed

    def read(self, topic: str, payload: bytes, retained: bool, now: datetime) -> list[AlertEvent]:
        """What a message changes; nothing for one that tells no news or cannot be read."""
        if not topic.startswith(f"{self._base}/"):
            return []
        place, told = topic[len(self._base) + 1 :], _value(payload)
        if place.startswith("bridge/"):
            events = self._bridge(place, told, retained, now)
        elif place.endswith("/availability"):
            events = self._availability(place.removesuffix("/availability"), told)
        else:
            events = self._readings(place, told)
        return [event for event in events if self._is_news(event)]

    def overdue(self, now: datetime) -> list[AlertEvent]:
        """What the passing of time changes: a network that should have closed by now."""
        return [event for event in self._left_open(now) if self._is_news(event)]

    def _left_open(self, now: datetime) -> Iterator[AlertEvent]:
        if self._closes_at is not None and now - LATENESS > self._closes_at:
            self._closes_at = None
            yield self._permit_join("firing", "new devices can still join, past the time it was opened for")

    def _is_news(self, event: AlertEvent) -> bool:
        known = event.fingerprint in self._firing
        if event.status == "resolved":
            self._firing.discard(event.fingerprint)
            return known
        self._firing.add(event.fingerprint)
        return not known

    def _bridge(self, place: str, told: Any, retained: bool, now: datetime) -> Iterable[AlertEvent]:
        if place == "bridge/state" and (state := _state(told)):
            text = "Zigbee2MQTT, and with it the coordinator, is gone" if state == "offline" else ""
            yield self._event(f"bridge {state}", "bridge offline", "", place, _STATES[state], text)
        elif place == "bridge/info" and isinstance(told, dict):
            yield from self._info(told, now)
        elif place == "bridge/event" and isinstance(told, dict) and not retained:
            yield from self._happened(told)

    def _info(self, told: dict[str, Any], now: datetime) -> Iterator[AlertEvent]:
        if told.get("permit_join") is True:
            self._closes_at = _closes_at(told, now)
            yield from self._left_open(now)
        elif told.get("permit_join") is False:
            self._closes_at = None
            yield self._permit_join("resolved", "")

    def _permit_join(self, status: Status, text: str) -> AlertEvent:
        return self._event(PERMIT_JOIN, PERMIT_JOIN, "", "bridge/info", status, text)

    def _happened(self, told: dict[str, Any]) -> Iterator[AlertEvent]:
        data = told.get("data")
        if not isinstance(data, dict):
            return
        device = data.get("ieee_address")
        if not isinstance(device, str) or not device:
            return
        status = _INTERVIEWS.get(str(data.get("status")))
        if told.get("type") == "device_interview" and status:
            text = "it joined and could not be asked what it is; try to pair it again"
            name = "device_interview failed"
            event = self._event(name, name, device, "bridge/event", status, text)
            event.labels["ieee_address"] = _printable(device)
            yield event

    def _availability(self, device: str, told: Any) -> Iterator[AlertEvent]:
        # An empty message removes the topic: the device was removed or renamed.
        state = "online" if told == "" else _state(told)
        if device and state:
            text = f"{device} does not answer" if state == "offline" else ""
            place = f"{device}/availability"
            yield self._event(f"device {state}", "device offline", device, place, _STATES[state], text)

    def _readings(self, device: str, told: Any) -> Iterator[AlertEvent]:
        if not isinstance(told, dict) or device.endswith(_COMMANDS):
            return
        for kind, level in _READINGS.items():
            if isinstance(told.get(kind), bool):
                status: Status = "firing" if told[kind] else "resolved"
                yield self._event(kind, kind, device, device, status, f"{device} reports {kind}", level)

    def _event(
        self, name: str, kind: str, device: str, place: str, status: Status, text: str, level: str = ""
    ) -> AlertEvent:
        usual = severity.WARNING if device or kind == PERMIT_JOIN else severity.CRITICAL
        labels = {
            "alertname": kind,
            "instance": _printable(device or self._base),
            "job": SOURCE,
            "topic": _printable(f"{self._base}/{place}"),
        }
        if device:
            labels["device"] = labels["instance"]
        return AlertEvent(
            labels=labels,
            status=status,
            name=name,
            severity=level or usual,
            annotations={"summary": _printable(text)} if text else {},
            fingerprint=fingerprint({"via": SOURCE, "base": self._base, "kind": kind, "device": device}),
        )


def _value(payload: bytes) -> Any:
    """JSON as what it is, anything else as text."""
    try:
        return _decode(payload)
    except UNREADABLE:
        return payload.decode("utf-8", "replace").strip()


def _state(told: Any) -> str:
    """``online`` or ``offline``, from JSON or bare text; empty for anything else."""
    word = told.get("state") if isinstance(told, dict) else told
    return word if isinstance(word, str) and word in _STATES else ""


def _closes_at(told: dict[str, Any], now: datetime) -> datetime:
    """When an open network should close. Version 2 tells the moment, version 1 the seconds left; where
    neither is told, the longest that it may be open counts from now."""
    end, left = told.get("permit_join_end"), told.get("permit_join_timeout")
    try:
        if isinstance(end, int | float) and end > 0:
            return datetime.fromtimestamp(end / 1000, UTC)
        if isinstance(left, int | float) and 0 < left <= LONGEST_WINDOW.total_seconds():
            return now + timedelta(seconds=left)
    except (OverflowError, OSError, ValueError):
        pass  # no time at all
    return now + LONGEST_WINDOW


def _printable(text: str) -> str:
    return text.replace("\0", "�")
