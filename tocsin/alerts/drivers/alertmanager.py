"""Prometheus Alertmanager webhooks, versions 3 and 4.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from datetime import datetime

import msgspec

from tocsin.alerts.decoding import UNREADABLE, Alerts
from tocsin.alerts.drivers import BaseDriver
from tocsin.alerts.events import AlertEvent, Reading, Status
from tocsin.core import clock, severity
from tocsin.core.errors import Rejected


class Alert(msgspec.Struct, rename="camel"):
    labels: dict[str, str]
    status: Status = "firing"
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    annotations: dict[str, str] = {}
    generator_url: str = msgspec.field(name="generatorURL", default="")
    fingerprint: str = ""


class Body(msgspec.Struct):
    alerts: msgspec.Raw


def event(alert: Alert) -> AlertEvent:
    # The group's own status is "firing" as long as one of its alerts is: each alert says its own.
    # While an alert fires, Alertmanager sends the zero time as endsAt.
    resolved = alert.status == "resolved"
    return AlertEvent(
        labels=alert.labels,
        status=alert.status,
        name=alert.labels.get("alertname", ""),
        severity=severity.read(alert.labels.get("severity")),
        annotations=alert.annotations,
        starts_at=clock.given(alert.starts_at),
        ends_at=clock.given(alert.ends_at) if resolved else None,
        generator_url=alert.generator_url,
        fingerprint=alert.fingerprint,
    )


_body = msgspec.json.Decoder(Body)
_alerts = Alerts(Alert, event)


class Driver(BaseDriver):
    """Alertmanager's webhook receiver."""

    def fits(self, payload: object) -> int:
        if not isinstance(payload, dict) or not isinstance(payload.get("alerts"), list):
            return 0
        marks = ("groupKey", "groupLabels", "commonLabels", "receiver", "externalURL")
        found = sum(mark in payload for mark in marks)
        return 20 + 15 * found if found else 5  # others too call their list ``alerts``

    def parse(self, body: bytes) -> Reading:
        try:
            raw = _body.decode(body).alerts
        except UNREADABLE as error:
            raise Rejected(str(error)) from error
        try:
            return _alerts.read(raw)
        except Rejected as error:
            raise Rejected(f"alerts: {error}") from error
