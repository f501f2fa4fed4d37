"""Axiom's custom webhook notifier, as its default template writes it.

https://axiom.co/docs/monitor-data/custom-webhook-notifier
"""

from tocsin.alerts.document import Part, as_text, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent


class Driver(DocumentDriver):
    """Axiom's monitors: threshold, match and anomaly."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        return 90 if whole.has("action", "event.monitorID") else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        event = part.part("event")
        name = event.need("title")
        monitor, over = event.text("monitorID"), part.text("action").lower() in ("closed", "close")
        groups = _groups(event)
        at = event.moment("timestamp", "queryEndTime")
        return AlertEvent(
            labels=filled(groups | {"alertname": name, "monitorID": monitor}),
            status="resolved" if over else "firing",
            name=name,
            annotations=filled(
                {
                    "summary": event.text("body"),
                    "description": event.text("description"),
                    "value": event.text("value"),
                    "matchedEvent": as_text(event.get("matchedEvent")),
                    "queryStartTime": event.text("queryStartTime"),
                    "queryEndTime": event.text("queryEndTime"),
                }
            ),
            starts_at=None if over else at,
            ends_at=at if over else None,
            fingerprint=identity("axiom", monitor, *groups.values()),
        )


def _groups(event: Part) -> dict[str, str]:
    """A monitor whose query groups tells of each group by itself."""
    keys, values = event.get("groupKeys"), event.get("groupValues")
    if not isinstance(keys, list) or not isinstance(values, list):
        return {}
    pairs = zip(keys, values, strict=False)
    return filled({key: as_text(value) for key, value in pairs if isinstance(key, str) and key})
