"""Alertmanager's API v2: ``POST /api/v2/alerts``, as Prometheus calls it.

There is no status: an alert whose ``endsAt`` has passed is resolved; one in the future is until
when it may be believed. https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

import re
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from tocsin.alerts.decoding import UNREADABLE
from tocsin.alerts.events import AlertEvent, Problem, Reading
from tocsin.core import clock, severity
from tocsin.core.errors import Rejected

SOURCE: Final = "prometheus"
ERRORS_SHOWN: Final = 100
REQUIRED, WRONG_TYPE = 602, 601
# Go's url.ParseRequestURI: a path, or anything with a scheme.
_URI: Final = re.compile(r"(?:/|[A-Za-z][A-Za-z0-9+.-]*:)[^\x00-\x1f\x7f]*\Z")


class PostedAlert(msgspec.Struct, rename="camel"):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] = {}
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str = msgspec.field(name="generatorURL", default="")


class SchemaProblem(Problem, frozen=True):
    """An alert that breaks the API's schema; Alertmanager tells it by a code."""

    status: int
    code: int


class Invalid(Exception):
    """What breaks the schema, and its code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def event(alert: PostedAlert, now: datetime, resolve_timeout: timedelta) -> AlertEvent:
    """Read one posted alert as of ``now``. Raises Invalid."""
    labels = alert.labels
    if labels is None:
        raise Invalid(REQUIRED, "labels in body is required")
    if alert.generator_url and not _URI.match(alert.generator_url):
        link = msgspec.json.encode(alert.generator_url[:ERRORS_SHOWN]).decode()
        raise Invalid(WRONG_TYPE, f"generatorURL in body must be of type uri: {link}")
    if "" in labels.values():  # Prometheus' data model: an empty label is no label
        labels = {name: value for name, value in labels.items() if value}
    starts_at, ends_at = clock.given(alert.starts_at), clock.given(alert.ends_at)
    resolved = ends_at is not None and ends_at <= now
    return AlertEvent(
        labels=labels,
        status="resolved" if resolved else "firing",
        name=labels.get("alertname", ""),
        severity=severity.read(labels.get("severity")),
        annotations=alert.annotations,
        starts_at=starts_at,
        ends_at=ends_at if resolved else None,
        expires_at=None if resolved else ends_at or now + resolve_timeout,
        generator_url=alert.generator_url,
    )


_all = msgspec.json.Decoder(list[PostedAlert])
_one = msgspec.json.Decoder(PostedAlert)
_items = msgspec.json.Decoder(list[msgspec.Raw] | None)  # an empty list of Go's is null


def read(body: bytes, now: datetime, resolve_timeout: timedelta) -> Reading:
    """Read a posted list; alerts that break the schema cost only themselves. Raises Rejected where it is
    no list."""
    try:
        return Reading([event(alert, now, resolve_timeout) for alert in _all.decode(body)])
    except (Invalid, *UNREADABLE):
        return _each(body, now, resolve_timeout)


def _each(body: bytes, now: datetime, resolve_timeout: timedelta) -> Reading:
    if not body.strip():
        return Reading([], [SchemaProblem(0, "alerts in body is required", 422, REQUIRED)])
    try:
        items = _items.decode(body) or []
    except UNREADABLE as error:
        raise Rejected(_unparsed(error)) from error
    reading = Reading([], [])
    for place, item in enumerate(items):
        try:
            reading.alerts.append(event(_one.decode(item), now, resolve_timeout))
        except Invalid as error:
            reading.errors.append(SchemaProblem(place, f"{place}.{error}", 422, error.code))
        except UNREADABLE as error:
            reading.errors.append(SchemaProblem(place, _unparsed(error), 400, 400))
    return reading


def _unparsed(error: Exception) -> str:
    return f'parsing alerts body from "" failed, because {error}'


def refusal(errors: list[Problem]) -> tuple[int, Any]:
    """Alertmanager's answer to bad alerts: the first that breaks the schema, with its code; else one
    JSON string that joins what is wrong."""
    for problem in errors:
        if isinstance(problem, SchemaProblem):
            return problem.status, {"code": problem.code, "message": problem.message}
    told = [problem.message for problem in errors[:ERRORS_SHOWN]]
    if len(errors) > ERRORS_SHOWN:
        told.append(f"and {len(errors) - ERRORS_SHOWN} more")
    return 400, "; ".join(told)
