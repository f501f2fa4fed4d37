"""Netdata Cloud webhooks: alerts, and nodes that can or cannot be reached.

https://learn.netdata.cloud/docs/alerts-&-notifications/notifications/centralized-cloud-notifications/webhook
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

CLEAR: Final = "clear"
LABELS: Final = ("alert", "chart", "context", "space", "family", "class")


class Driver(DocumentDriver):
    """Netdata Cloud: an alert that warns, is critical or is clear, and a node's reachability."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        if part.has("status.reachable", "severity") and part.text("host"):
            return 85
        if not part.text("alert", "alarm") or not part.text("severity"):
            return 0
        found = sum(
            name in part.value
            for name in ("chart", "context", "space", "Rooms", "family", "alert_url", "alarm_url")
        )
        return min(50 + 10 * found, 95) if found >= 3 else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        if part.has("status.reachable"):
            return _reachability(part)
        name = part.text("alert", "alarm")
        if not name and part.text("token"):  # what the button Test sends, with the token to verify
            return None
        name = name or part.need("alert")
        word = part.need("severity").lower()
        resolved = word == CLEAR
        host = part.text("host", "hostname", "node")
        labels = part.fields(*LABELS) | {"alertname": name, "alert": name, "host": host, "severity": word}
        labels["instance"] = host or part.text("chart", "context")
        words = {"summary": part.text("message"), "description": part.text("info")}
        words |= part.fields(
            "duration", "additional_active_critical_alerts", "additional_active_warning_alerts"
        )
        told = part.moment("date")
        ids = [
            host or "-",
            *(part.text(field) or "-" for field in ("space", "chart", "context", "family")),
            name,
        ]
        return AlertEvent(
            labels=filled(labels),
            status="resolved" if resolved else "firing",
            name=name,
            severity=severity.INFO if resolved else severity.read(word),
            annotations=filled(words),
            starts_at=None if resolved else told,
            ends_at=told if resolved else None,
            generator_url=part.text("alert_url", "alarm_url"),
            fingerprint=identity("netdata", *ids),
        )


def _reachability(part: Part) -> AlertEvent:
    host, name = part.need("host"), "node unreachable"
    labels = {"alertname": name, "instance": host, "host": host, "severity": part.text("severity")}
    return AlertEvent(
        labels=filled(labels),
        status="resolved" if part.text("status.reachable") == "true" else "firing",
        name=name,
        severity=severity.read(part.text("severity")),
        annotations=filled({"summary": part.text("message"), "status": part.text("status.text")}),
        generator_url=part.text("url"),
        fingerprint=identity("netdata", "reachability", host),
    )
