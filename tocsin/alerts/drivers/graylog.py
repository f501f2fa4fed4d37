"""Graylog's HTTP notifications: events since 3.1, alarm callbacks before.

https://go2docs.graylog.org/current/interacting_with_your_log_data/http_notification.html
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

# Priorities count upwards: 0 and 4 came with Graylog 6.
_LEVELS: Final = {
    "0": severity.INFO, "1": severity.INFO, "2": severity.WARNING,
    "3": severity.ERROR, "4": severity.CRITICAL,
}  # fmt: skip


class Driver(DocumentDriver):
    """Graylog's HTTP notifications and older alarm callbacks."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        if whole.has("event_definition_id") and whole.part("event").value:
            return 95
        return 95 if whole.part("check_result").value and whole.part("stream").value else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        return _callback(part) if part.has("check_result") else _event(part)


def _event(part: Part) -> AlertEvent:
    """An event has no end: Graylog tells of each that happens."""
    event = part.part("event")
    definition = part.text("event_definition_id") or event.text("event_definition_id")
    name = part.text("event_definition_title") or event.text("message")
    name = name or part.need("event_definition_title")
    source, key, priority = event.text("source"), event.text("key"), event.text("priority")
    groups = event.pairs("group_by_fields")
    return AlertEvent(
        labels=filled(
            groups
            | {"alertname": name, "instance": source, "source": source, "key": key}
            | {"event_definition_id": definition, "priority": priority, "severity": priority}
            | part.fields("event_definition_type")
        ),
        name=name,
        severity=_LEVELS.get(priority, severity.WARNING),
        annotations=filled(
            event.pairs("fields")
            | {
                "summary": event.text("message"),
                "description": part.text("event_definition_description"),
                "query": event.text("replay_info.query"),
                "event_id": event.text("id"),
                "log": "\n".join(message.text("message") for message in part.parts("backlog")),
            }
        ),
        starts_at=event.moment("timestamp", "timestamp_processing"),
        fingerprint=identity("graylog", definition, *filter(None, [key]), *groups.values()),
    )


def _callback(part: Part) -> AlertEvent:
    result, stream = part.part("check_result"), part.part("stream")
    condition = result.part("triggered_condition")
    over = result.get("triggered") is False
    name = stream.need("title")
    at = result.moment("triggered_at")
    messages = list(result.parts("matching_messages"))
    return AlertEvent(
        labels=filled(
            {
                "alertname": name,
                "stream_id": stream.text("id"),
                "condition_id": condition.text("id"),
                "condition_type": condition.text("type"),
            }
        ),
        status="resolved" if over else "firing",
        name=name,
        annotations=filled(
            {
                "summary": result.text("result_description"),
                "description": stream.text("description"),
                "log": "\n".join(message.text("message") for message in messages),
            }
        ),
        starts_at=None if over else at,
        ends_at=at if over else None,
        fingerprint=identity("graylog", stream.text("id"), condition.text("id")),
    )
