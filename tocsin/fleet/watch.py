"""The watch over heartbeats and instances: what is late, failed or silent becomes an alert, and what came
back ends it."""

from datetime import datetime

from django.db import connection, transaction

from tocsin.alerts.intake.journal import Journal, Post
from tocsin.core.ids import new_id
from tocsin.fleet import silence
from tocsin.fleet.heartbeats import tell
from tocsin.fleet.models import Heartbeat, Instance
from tocsin.fleet.verdict import judge

_JUDGED = ("state", "due_at", "down_since", "reason")
_SETTLED = ("state", "due_at", "silent_since", "clock_wrong")


def watch(now: datetime, limit: int = 500) -> int:
    """Look at up to ``limit`` heartbeats that are due; return how many. State and alert are one commit."""
    due = Heartbeat.objects.filter(due_at__lte=now)
    if not due.exists():
        return 0
    with transaction.atomic():
        # One that is locked just now gets a ping, which looks at it first.
        skip = connection.features.has_select_for_update_skip_locked
        rows = due.select_for_update(skip_locked=skip).defer("token").order_by("due_at")
        found = list(rows[:limit])
        tell([(heartbeat, judge(heartbeat, now)) for heartbeat in found], now)
        Heartbeat.objects.bulk_update(found, _JUDGED)
    return len(found)


def watch_instances(now: datetime, limit: int = 500) -> int:
    """The same for up to ``limit`` instances."""
    due = Instance.objects.filter(due_at__lte=now)
    if not due.exists():
        return 0
    with transaction.atomic():
        skip = connection.features.has_select_for_update_skip_locked
        found = list(due.select_for_update(skip_locked=skip).order_by("due_at")[:limit])
        alerts = [alert for instance in found for alert in silence.judge(instance, now)]
        if alerts:
            Journal().commit([Post(alerts, silence.SOURCE, new_id(), now)])
        Instance.objects.bulk_update(found, _SETTLED)
    return len(found)
