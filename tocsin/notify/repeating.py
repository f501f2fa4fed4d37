"""Messages that are said again, as their route asks, while an incident is open and nobody is on it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from django.db import connection, transaction

from tocsin.alerts.models import Incident
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.notify import routes, rows, state
from tocsin.notify.message import Message, read
from tocsin.notify.models import Thread
from tocsin.notify.routes import Routes

REPEAT: Final = "repeat"
_LAST: Final = """
    SELECT message FROM notify_delivery WHERE channel_id = %s AND incident_id = %s
    ORDER BY id DESC LIMIT 1"""


def repeat(now: datetime, limit: int = 200) -> int:
    """Say again what is due; return how many were looked at."""
    due = Thread.objects.filter(repeat_at__lte=now)
    if not due.exists():
        return 0
    try:
        in_force = routes.in_force()
    except Rejected:  # a worker of the version that put them there says it again
        return 0
    with transaction.atomic():
        skip = connection.features.has_select_for_update_skip_locked
        found = list(due.select_for_update(skip_locked=skip).order_by("repeat_at")[:limit])
        incidents = Incident.objects.in_bulk({thread.incident_id for thread in found})
        again = [
            thread for thread in found if _is_repeated(thread, incidents[thread.incident_id], in_force, now)
        ]
        rows.insert(_rows(again, now))
        Thread.objects.bulk_update(found, ["repeat_at", "told_at"])
    return len(found)


def _is_repeated(thread: Thread, incident: Incident, in_force: Routes | None, now: datetime) -> bool:
    """Settle when it is looked at again; whether it is said now. Without routes nobody asks for it."""
    if in_force is None or not incident.live or not thread.repeat_every:
        thread.repeat_at = None
        return False
    thread.repeat_at = now + timedelta(seconds=thread.repeat_every)
    if incident.status != Incident.OPEN or not thread.channel.enabled:
        return False
    until = _muted_until(thread, incident, in_force, now)
    if until is not None:
        thread.repeat_at = until
        return False
    thread.told_at = now
    return True


def _muted_until(thread: Thread, incident: Incident, in_force: Routes, now: datetime) -> datetime | None:
    """When all routes that lead to the channel speak again; None where one speaks now."""
    decisions = in_force.of(state.labels_of(incident), now)
    mine = [decision for decision in decisions if thread.channel.name in decision.channels]
    ends = [decision.muted.until for decision in mine if decision.muted is not None]
    return min(filter(None, ends), default=None) if ends and len(ends) == len(mine) else None


def _rows(threads: Sequence[Thread], now: datetime) -> list[bulk.Row]:
    said = [(thread, _last(thread)) for thread in threads]
    heads = state.heads(message for _, message in said if message is not None)
    stamp, made = bulk.moment(now), []
    for thread, message in said:
        if message is None or thread.incident_id not in heads:
            continue
        again = msgspec.structs.replace(heads[thread.incident_id], id=new_id(), reason=REPEAT, note="")
        made.append(rows.row(again, thread.channel_id, thread.incident_id, again.id, "", stamp, stamp))
    return made


def _last(thread: Thread) -> Message | None:
    found = bulk.fetch(_LAST, [thread.channel_id, thread.incident_id])
    return read(found[0][0]) if found else None
