"""Any tool that can post JSON: one alert, a list of them, or an object with ``alerts``.

Names are taken from the words tools commonly use: ``name``/``title``/``alertname``,
``status``/``state``, ``severity``/``level``/``priority``, ``message``/``description``.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from tocsin.alerts.decoding import UNREADABLE
from tocsin.alerts.drivers import BaseDriver
from tocsin.alerts.events import AlertEvent, Problem, Reading, Status
from tocsin.core import clock, severity
from tocsin.core.errors import Rejected

NAME: Final = ("name", "title", "alertname", "alert_name", "alert", "subject", "rule", "check")
STATUS: Final = ("status", "state")
SEVERITY: Final = ("severity", "level", "priority")
TEXT: Final = ("message", "description", "summary", "text", "body")
STARTED: Final = ("started_at", "starts_at", "startsAt", "timestamp", "time", "created_at")
ENDED: Final = ("ended_at", "ends_at", "endsAt", "resolved_at")
LINK: Final = ("url", "link", "generator_url", "generatorURL")
PLACE: Final = ("instance", "host", "hostname", "service", "source", "environment", "job")
_OVER: Final = {
    "ok",
    "resolved",
    "resolve",
    "recovered",
    "recovery",
    "up",
    "normal",
    "closed",
    "inactive",
    "healthy",
}
_ON: Final = {
    "firing",
    "alerting",
    "problem",
    "triggered",
    "trigger",
    "open",
    "active",
    "down",
    "critical",
    "warning",
}
_TAKEN_ON: Final = {"acknowledged", "acknowledge", "acked", "ack"}
_MILLISECONDS: Final = 10**11  # larger numbers of seconds lie in the year 5138: they are milliseconds
_EPOCH: Final = re.compile(r"[0-9]{9,13}(\.[0-9]+)?")  # digits in quotes; shorter ones are dates


class Driver(BaseDriver):
    """Plain JSON of any shape that names its alert."""

    def fits(self, payload: object) -> int:
        return 10 if any(_named(item) for item in _items(payload) or ()) else 0

    def parse(self, body: bytes) -> Reading:
        items = _read(body)
        reading = Reading([], [])
        for index, item in enumerate(items):
            try:
                reading.alerts.append(_event(item))
            except (Rejected, *UNREADABLE) as error:
                reading.errors.append(Problem(index, str(error)))
        if items and not reading.alerts:
            raise Rejected(reading.errors[0].message)
        return reading


def _named(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    labels = item.get("labels")
    return bool(_first(item, NAME) or (isinstance(labels, dict) and labels.get("alertname")))


class _Body(msgspec.Struct):
    alerts: list[msgspec.Raw]


_whole = msgspec.json.Decoder()
_parts = msgspec.json.Decoder(list[msgspec.Raw] | _Body)


def _read(body: bytes) -> list[Any]:
    """The payload's items. Where the whole cannot be decoded they stay raw, so that a number out of
    range or a broken character costs its own alert only."""
    try:
        items = _items(_whole.decode(body))
    except UNREADABLE as error:
        return _raw_items(body, error)
    if items is None:
        raise Rejected("expected a JSON object, or a list of them")
    return items


def _raw_items(body: bytes, cause: Exception) -> list[Any]:
    try:
        parts = _parts.decode(body)
    except UNREADABLE:
        raise Rejected(f"not JSON: {cause}") from cause
    return parts.alerts if isinstance(parts, _Body) else parts


def _items(payload: object) -> list[Any] | None:
    if isinstance(payload, dict):
        alerts = payload.get("alerts")
        return alerts if isinstance(alerts, list) else [payload]
    return payload if isinstance(payload, list) else None


def _event(item: object) -> AlertEvent:
    if isinstance(item, msgspec.Raw):
        item = _whole.decode(item)
    if not isinstance(item, dict):
        raise Rejected(f"expected an object, got {_kind(item)}")
    labels = _pairs(item.get("labels"))
    name = _first(item, NAME) or labels.get("alertname", "")
    if not name:
        raise Rejected(f"it needs a name: give one of {', '.join(NAME[:3])}, or labels.alertname")
    labels.setdefault("alertname", name)
    for place in PLACE:
        if isinstance(item.get(place), str) and item[place]:
            labels.setdefault(place, item[place])
    status = _status(item)
    word = _severity_word(item) or labels.get("severity")
    ended = _time(item, ENDED)
    return AlertEvent(
        labels=labels,
        status=status,
        name=name,
        severity=severity.read(word),
        annotations=_annotations(item),
        starts_at=_time(item, STARTED),
        ends_at=ended if status == "resolved" else None,
        generator_url=_first(item, LINK),
        fingerprint=_first(item, ("fingerprint",)),
    )


def _annotations(item: Mapping[str, Any]) -> dict[str, str]:
    annotations = _pairs(item.get("annotations"))
    for name in TEXT:
        if isinstance(item.get(name), str) and item[name]:
            annotations.setdefault(name, item[name])
    return annotations


def _status(item: Mapping[str, Any]) -> Status:
    for key in STATUS:
        value = item.get(key)
        word = value.strip().lower() if isinstance(value, str) else ""
        if word in _OVER:
            return "resolved"
        if word in _TAKEN_ON:
            return "acknowledged"
        if word in _ON:
            return "firing"
    return "firing"


def _severity_word(item: Mapping[str, Any]) -> str:
    words = [str(item[key]) for key in SEVERITY if isinstance(item.get(key), str | int)]
    telling = [word for word in words if severity.known(word) and word.strip().lower() != "unknown"]
    return telling[0] if telling else ""


def _pairs(value: object) -> dict[str, str]:
    """Labels or annotations; what is not a map of plain values is left out, the alert stays."""
    if not isinstance(value, dict):
        return {}
    return {str(key): _text(item) for key, item in value.items() if item is not None}


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _first(item: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = item.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _time(item: Mapping[str, Any], names: tuple[str, ...]) -> datetime | None:
    for name in names:
        value = item.get(name)
        if value in (None, "", 0):
            continue
        try:
            return _moment(value)
        except (ValueError, TypeError, OverflowError, OSError) as error:
            raise Rejected(f"{name}: not a time: {str(value)[:60]!r}") from error
    return None


def _moment(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(value)
    if isinstance(value, str):
        if not _EPOCH.fullmatch(value.strip()):
            return clock.given(datetime.fromisoformat(value.strip()))
        value = float(value)
    seconds = value / 1000 if abs(value) >= _MILLISECONDS else value
    return datetime.fromtimestamp(seconds, UTC)


def _kind(value: object) -> str:
    names = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
