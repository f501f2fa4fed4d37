"""LibreNMS' alert transport API: an alert's fields as JSON or a form.

https://docs.librenms.org/Alerting/Transports/#api
https://docs.librenms.org/Alerting/Templates/
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity
from tocsin.core.errors import Rejected

# Recovered, alert, acknowledged, got worse, got better, changed.
STATUS: Final[dict[str, Status]] = {
    "0": "resolved", "1": "firing", "2": "acknowledged", "3": "firing", "4": "firing", "5": "firing"
}  # fmt: skip
MARKS: Final = ("sysName", "sysDescr", "device_id", "rule_id", "alert_id", "uid", "builder", "elapsed",
                "uptime_short", "uptime_long", "proc", "alert_notes")  # fmt: skip


class Driver(DocumentDriver):
    """LibreNMS: a rule that a device breaks, acknowledged or recovered."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        if not part.has("hostname", "state") or not part.text("name", "title", "rule"):
            return 0
        found = sum(mark in part.value for mark in MARKS)
        return min(65 + 5 * found, 95) if found >= 2 else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        name = part.text("name", "title") or part.need("rule")
        state = part.need("state")
        status = STATUS.get(state)
        if status is None:
            raise Rejected(f"state: {state[:20]!r} is none of 0 to 5")
        host = part.need("hostname")
        labels = {"alertname": name, "instance": host, "severity": part.text("severity")}
        labels |= part.fields(
            "hostname", "alert_id", "rule_id", "device_id", "sysName", "os", "type", "ip", "location"
        )
        told = part.moment("timestamp")
        words = {
            "summary": part.text("title"),
            "description": part.text("msg"),
            "runbook_url": part.text("proc"),
        }
        words |= part.fields("elapsed", "notes", "alert_notes", "hardware", "version", "display")
        return AlertEvent(
            labels=filled(labels),
            status=status,
            name=name,
            severity=severity.read(part.text("severity")),
            annotations=filled(words),
            starts_at=None if status == "resolved" else told,
            ends_at=told if status == "resolved" else None,
            # Every server counts its alerts from one; this one is of a device and a rule.
            fingerprint=identity("librenms", host, part.text("alert_id", "rule_id") or name),
        )
