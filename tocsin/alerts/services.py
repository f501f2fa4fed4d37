"""What people do to incidents, and what time does to them. The only code besides intake and
correlation that writes here."""

from datetime import datetime
from typing import Final

from django.db import transaction

from tocsin.alerts.models import AlertHistory, Incident
from tocsin.core.errors import Rejected
from tocsin.db import bulk

LONGEST_NOTE: Final = 25_000
_CLOSABLE: Final = "SELECT id FROM alerts_incident WHERE close_at <= %s ORDER BY close_at LIMIT %s"
_CLOSING: Final = ("status", "closed_at", "close_at", "live_key", "updated_at")


def acknowledge(*, incident_id: int, actor: str, now: datetime, trace_id: str) -> Incident:
    """Somebody takes an open incident on. Raises Rejected where it is not open any more."""
    with transaction.atomic():
        incident = _locked(incident_id)
        if incident.status == Incident.ACKNOWLEDGED:
            return incident
        if incident.status != Incident.OPEN:
            raise Rejected(
                f"incident #{incident_id} is {incident.status}; only an open one can be acknowledged"
            )
        incident.status = Incident.ACKNOWLEDGED
        incident.acknowledged_at, incident.acknowledged_by, incident.taken = now, actor, True
        _note(incident, "acknowledged", actor, now, trace_id)
    return incident


def resolve(*, incident_id: int, actor: str, now: datetime, trace_id: str, close_at: datetime) -> Incident:
    """Somebody declares an incident over. Alerts that still fire stay as their source tells them;
    a new one reopens it. Raises Rejected where it is over already."""
    with transaction.atomic():
        incident = _locked(incident_id)
        if not incident.live:
            raise Rejected(f"incident #{incident_id} is {incident.status} already")
        incident.status = Incident.RESOLVED
        incident.resolved_at, incident.close_at = now, close_at
        _note(incident, "resolved", actor, now, trace_id)
    return incident


def unacknowledge(*, incident_id: int, actor: str, now: datetime, trace_id: str) -> Incident:
    """Who took an incident on lets go of it; nothing happens to one that nobody has."""
    with transaction.atomic():
        incident = _locked(incident_id)
        if incident.status == Incident.ACKNOWLEDGED:
            incident.status = Incident.OPEN
            incident.acknowledged_at, incident.acknowledged_by, incident.taken = None, "", True
            _note(incident, "unacknowledged", actor, now, trace_id)
    return incident


def assign(*, incident_id: int, to: str, actor: str, now: datetime, trace_id: str) -> Incident:
    """Say whose an incident is; empty for nobody's."""
    with transaction.atomic():
        incident = _locked(incident_id)
        if incident.assigned_to != (to := to[:150]):
            incident.assigned_to = to
            said = f"{actor} assigned incident #{incident_id} to {to or 'nobody'}"
            _note(incident, "assigned", actor, now, trace_id, said)
    return incident


def note(*, incident_id: int, text: str, actor: str, now: datetime, trace_id: str) -> None:
    """Put what somebody has to say on an incident's record. Raises Rejected where it is no text."""
    if not text.strip() or "\0" in text:
        raise Rejected("the note is empty, or holds a NUL character")
    with transaction.atomic():
        said = f"{actor}: {text.strip()[:LONGEST_NOTE]}"
        _note(_locked(incident_id), "note", actor, now, trace_id, said)


def close_resolved(now: datetime, limit: int = 500) -> int:
    """Close incidents that stayed resolved long enough; alerts that fire again open a new one."""
    stamp = bulk.moment(now)
    if not bulk.fetch(_CLOSABLE, [stamp, 1]):
        return 0
    with bulk.transaction():
        due = bulk.fetch(_CLOSABLE + bulk.for_update(), [stamp, limit])
        closed = [(Incident.CLOSED, stamp, None, None, stamp, row[0]) for row in due]
        bulk.update(Incident, _CLOSING, ("id",), closed)
    return len(due)


def _locked(incident_id: int) -> Incident:
    incident = Incident.objects.select_for_update().filter(pk=incident_id).first()
    if incident is None:
        raise Rejected(f"there is no incident #{incident_id}")
    return incident


def _note(incident: Incident, kind: str, actor: str, now: datetime, trace_id: str, said: str = "") -> None:
    incident.updated_at = now
    incident.save()
    AlertHistory.objects.create(
        kind=kind,
        severity=incident.severity,
        at=now,
        received_at=now,
        trace_id=trace_id,
        actor=actor,
        incident=incident,
        decision=AlertHistory.ACTION,
        reason=said or f"{actor} {kind} incident #{incident.pk}",
    )
