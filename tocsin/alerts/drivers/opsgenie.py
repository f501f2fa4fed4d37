"""Opsgenie's outgoing webhook integration.

https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data/
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity, tagged
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity

# Every other action (a note, a tag, an escalation …) is about an alert that goes on.
ACTIONS: Final[dict[str, Status]] = {
    "acknowledge": "acknowledged", "close": "resolved", "delete": "resolved", "resolve": "resolved",
}  # fmt: skip
MARKS: Final = ("alertId", "tinyId", "alias")


class Driver(DocumentDriver):
    """Opsgenie's webhook integration, which tells what is done with its alerts."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        marks = sum(map(whole.part("alert").has, MARKS))
        return 90 if whole.text("action") and marks and (marks >= 2 or whole.has("integrationId")) else 0

    def event(self, part: Part, payload: Part) -> AlertEvent:
        alert = part.part("alert")
        # An update brings the message it had until then as ``oldMessage``.
        name = alert.need("message", "alias", "alertId", "tinyId")
        status = ACTIONS.get(part.text("action").lower(), "firing")
        word = alert.text("priority")
        tags = alert.texts("tags")
        labels = tagged(tags) | alert.pairs("details")
        labels |= {
            "alertname": name,
            "instance": alert.text("entity", "source"),
            "severity": word,
            **{own: alert.text(own) for own in ("alertId", "alias", "entity", "tinyId", "source")},
        }
        labels.setdefault("team", alert.text("team"))
        return AlertEvent(
            labels=filled(labels),
            status=status,
            name=name,
            severity=severity.read(word),
            annotations=filled(
                {
                    "summary": name,
                    "description": alert.text("description"),
                    "note": alert.text("note"),
                    "action": part.text("action"),
                    "tags": ",".join(tags),
                }
            ),
            starts_at=alert.moment("createdAt"),
            ends_at=alert.moment("closedAt", "updatedAt") if status == "resolved" else None,
            generator_url=alert.text("link", "url"),
            fingerprint=identity("opsgenie", alert.text("alertId", "alias", "tinyId")),
        )
