"""What follows when a person acts on an incident: the action itself, and the run that tells others."""

from datetime import datetime, timedelta

from django.db import transaction

from tocsin.alerts import services as alerts
from tocsin.alerts.models import AlertHistory, Incident
from tocsin.core import config, doorbell
from tocsin.core.ids import new_id
from tocsin.orchestration import engine


def acknowledge(*, incident_id: int, actor: str, now: datetime) -> Incident:
    """Take an incident on. Raises Rejected where it is not open."""
    return alerts.acknowledge(incident_id=incident_id, actor=actor, now=now, trace_id=new_id())


def resolve(*, incident_id: int, actor: str, now: datetime) -> Incident:
    """Declare an incident over and tell the channels. Raises Rejected where it is over already."""
    trace_id = new_id()
    close_at = now + timedelta(seconds=config.number("TOCSIN_CLOSE_AFTER"))
    with transaction.atomic():
        incident = alerts.resolve(
            incident_id=incident_id, actor=actor, now=now, trace_id=trace_id, close_at=close_at
        )
        entry = AlertHistory.objects.filter(incident=incident, trace_id=trace_id).latest("pk")
        engine.start_by_person(entry, now)
    doorbell.ring()
    return incident
