"""An incident as it stands, for the messages that show it: those that are changed in place rather than sent
anew."""

from collections.abc import Iterable
from typing import Final

import msgspec

from tocsin.alerts.models import Alert, Incident
from tocsin.db import bulk
from tocsin.notify.message import (
    ACKNOWLEDGED,
    ALERTS_SHOWN,
    FIRING,
    QUESTION,
    RESOLVED,
    Message,
    MessageAlert,
    Question,
    read,
)

QUESTIONS_SHOWN: Final = 3
_KINDS: Final = {Incident.ACKNOWLEDGED: ACKNOWLEDGED, Incident.RESOLVED: RESOLVED, Incident.CLOSED: RESOLVED}


def heads(messages: Iterable[Message]) -> dict[int, Message]:
    """By incident, what its head says now; ``messages`` are the newest of each."""
    by_incident = {message.incident_id: message for message in messages if message.incident_id is not None}
    incidents = Incident.objects.in_bulk(list(by_incident))
    asked = _asked(incidents)
    return {key: _head(incident, by_incident[key], asked.get(key, [])) for key, incident in incidents.items()}


def with_alerts(message: Message) -> Message:
    """A message of an incident with its alerts, those that fire first."""
    found = heads([message]).get(message.incident_id or 0)
    if found is None:
        return message
    return msgspec.structs.replace(message, alerts=found.alerts, more_alerts=found.more_alerts)


def _asked(incident_ids: Iterable[int]) -> dict[int, list[Question]]:
    """By incident, what was asked about it last, as it stands: whoever was told."""
    where, params = bulk.among("incident_id", incident_ids)
    sql = f"SELECT incident_id, message FROM notify_delivery WHERE {where} AND kind = %s ORDER BY id"  # noqa: S608
    found: dict[int, dict[tuple[str, str], Question]] = {}
    for incident_id, text in bulk.fetch(sql, [*params, QUESTION]):
        message = read(text)
        for question in message.asks if message else []:
            found.setdefault(incident_id, {})[question.run_id, question.node] = question
    return {key: list(questions.values())[-QUESTIONS_SHOWN:] for key, questions in found.items()}


def _head(incident: Incident, message: Message, asks: list[Question]) -> Message:
    """Alerts that fire come first."""
    alerts = incident.alerts.order_by("status", "-started_at")[: ALERTS_SHOWN + 1]
    shown = [_told(alert) for alert in alerts]
    more = incident.alerts.count() - ALERTS_SHOWN if len(shown) > ALERTS_SHOWN else 0
    return msgspec.structs.replace(
        message,
        kind=_KINDS.get(incident.status, FIRING),
        status=incident.status,
        severity=incident.severity,
        firing=incident.firing,
        total=incident.total,
        owner=incident.acknowledged_by,
        actor="",
        alerts=shown[:ALERTS_SHOWN] or message.alerts,
        more_alerts=max(0, more),
        asks=asks,
    )


def labels_of(incident: Incident) -> dict[str, str]:
    """The labels that hold for all of an incident: those that its alerts share, its severity, and those it is
    grouped by."""
    said = list(incident.alerts.order_by("status", "-started_at").values_list("labels", flat=True)[:100])
    shared = said[0] if said else {}
    shared = {name: value for name, value in shared.items() if all(one.get(name) == value for one in said)}
    return {**shared, "severity": incident.severity, **incident.labels}


def _told(alert: Alert) -> MessageAlert:
    return MessageAlert(
        name=alert.name,
        status=alert.status,
        severity=alert.severity,
        fingerprint=alert.fingerprint,
        labels=alert.labels,
        annotations=alert.annotations,
        started_at=alert.started_at,
        ended_at=alert.ended_at if alert.status == Alert.RESOLVED else None,
        generator_url=alert.generator_url,
    )
