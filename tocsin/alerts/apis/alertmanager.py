"""Alertmanager's API v2: ``POST /api/v2/alerts``, as Prometheus calls it.

There is no status: an alert whose ``endsAt`` has passed is resolved; one in the future is until
when it may be believed. https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from datetime import datetime, timedelta

import msgspec

from tocsin.alerts.decoding import Alerts
from tocsin.alerts.events import AlertEvent, Problem, Reading
from tocsin.core import clock, severity

SOURCE = "prometheus"
ERRORS_SHOWN = 100


class PostedAlert(msgspec.Struct, rename="camel"):
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str = msgspec.field(name="generatorURL", default="")


def event(alert: PostedAlert, now: datetime, resolve_timeout: timedelta) -> AlertEvent:
    """Read one posted alert as of ``now``."""
    labels = alert.labels
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


_alerts = Alerts(PostedAlert, event)


def read(body: bytes, now: datetime, resolve_timeout: timedelta) -> Reading:
    """Read a posted list. Raises Rejected when it is not a list, or none of it can be read."""
    return _alerts.read(body, now, resolve_timeout)


def refusal(errors: list[Problem]) -> str:
    """Alertmanager's answer to bad alerts: one JSON string that joins what is wrong."""
    told = [problem.message for problem in errors[:ERRORS_SHOWN]]
    if len(errors) > ERRORS_SHOWN:
        told.append(f"and {len(errors) - ERRORS_SHOWN} more")
    return "\n".join(told)
