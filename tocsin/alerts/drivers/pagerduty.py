"""PagerDuty's outgoing webhooks: v3 subscriptions, and the v1 and v2 extensions before them.

https://developer.pagerduty.com/docs/webhooks-overview
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity

# What an event says of its incident's state; the others (escalated, delegated, …) leave it as it is.
STATES: Final[dict[str, Status]] = {
    "trigger": "firing", "triggered": "firing", "reopened": "firing",
    "unacknowledge": "firing", "unacknowledged": "firing",
    "acknowledge": "acknowledged", "acknowledged": "acknowledged",
    "resolve": "resolved", "resolved": "resolved",
}  # fmt: skip
TITLES: Final = ("title", "description", "trigger_summary_data.subject", "trigger_summary_data.description",
                 "summary", "incident_key", "id")  # fmt: skip


class Driver(DocumentDriver):
    """PagerDuty's webhooks v1, v2 and v3, which tell what becomes of incidents."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        message = next(whole.parts("messages"), Part(None))
        if _kind(message).startswith("incident."):
            return 90
        event, data = whole.part("event"), whole.part("event").part("data")
        if event.has("event_type", "occurred_at") and event.has("data"):
            return 90
        return 80 if data.has("incident_key") or data.text("type") == "incident" else 0

    def parts(self, payload: Part) -> Iterable[Part]:
        return payload.parts("messages") if payload.has("messages") else [payload.part("event")]

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        incident = _incident(part)
        status = _status(_kind(part), incident)
        if status is None:
            return None
        name = incident.need(*TITLES)
        service = incident.text("service.name", "service.summary")
        priority, urgency = incident.text("priority.name", "priority.summary"), incident.text("urgency")
        labels = {
            "alertname": name,
            "instance": service,
            "service": service,
            "incident_id": incident.text("id"),
            "incident_key": incident.text("incident_key"),
            "incident_number": incident.text("incident_number", "number"),
            "urgency": urgency,
            "priority": priority,
            "severity": priority or urgency,
        }
        return AlertEvent(
            labels=filled(labels),
            status=status,
            name=name,
            severity=severity.read(priority if severity.known(priority) else urgency),
            annotations=filled(
                {
                    "summary": incident.text("summary", "trigger_summary_data.subject") or name,
                    "description": incident.text("description", "trigger_summary_data.description"),
                    "escalation_policy": incident.text("escalation_policy.summary", "escalation_policy.name"),
                }
            ),
            starts_at=_began(part, incident),
            ends_at=_ended(part, incident) if status == "resolved" else None,
            generator_url=incident.text("html_url"),
            fingerprint=identity("pagerduty", labels["incident_id"] or labels["incident_key"]),
        )


def _kind(part: Part) -> str:
    return part.text("event_type", "type", "event")


def _incident(part: Part) -> Part:
    """v1 has it in ``data.incident``, v2 in ``incident``, v3 in ``data``."""
    data = part.part("data")
    if data.text("type") in ("", "incident") and not data.has("incident"):
        return data if data.value else part.part("incident")
    # A note or a responder of v3 only points to its incident.
    return data.part("incident") if not part.has("event_type") else Part(None)


def _status(kind: str, incident: Part) -> Status | None:
    """None for what speaks of no incident: pings, services, notes."""
    if not incident.value or (kind and not kind.startswith("incident.")):
        return None
    told = STATES.get(kind.removeprefix("incident.")) or STATES.get(incident.text("status").lower())
    return told or (None if kind else "firing")


def _began(part: Part, incident: Part) -> datetime | None:
    """A reopened incident keeps the start of its first time, which is over."""
    again = part.moment("occurred_at") if _kind(part) == "incident.reopened" else None
    return again or incident.moment("created_at", "created_on")


def _ended(part: Part, incident: Part) -> datetime | None:
    return part.moment("occurred_at", "created_on") or incident.moment(
        "resolved_at", "last_status_change_at", "last_status_change_on"
    )
