"""Who is on an incident shows where its messages can be changed, and in systems that keep incidents of their
own."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from django.db import connection, transaction

from tocsin.alerts.models import Incident
from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.notify import rows
from tocsin.notify.message import ACKNOWLEDGED, FIRING, Message, read
from tocsin.notify.models import NotificationChannel
from tocsin.notify.terms import terms_of
from tocsin.notify.timing import Pair, bring_forward

_TOLD: Final = """
    SELECT d.incident_id, d.channel_id, d.message FROM notify_delivery d JOIN (
        SELECT MAX(id) AS newest FROM notify_delivery
        WHERE {where} AND state IN ('pending', 'retrying', 'sent') GROUP BY incident_id, channel_id) n
    ON d.id = n.newest"""
_UNTOLD: Final = """
    SELECT channel_id, incident_id, MAX(due_at) FROM notify_delivery WHERE {where} AND state <> 'folded'
    GROUP BY channel_id, incident_id HAVING MAX(attempts) = 0 AND MAX(due_at) > %s"""


def mark(now: datetime, limit: int = 200) -> int:
    """Tell of up to ``limit`` incidents that somebody took on or let go of; return how many."""
    taken = Incident.objects.filter(taken=True)
    if not taken.exists():
        return 0
    with transaction.atomic():
        skip = connection.features.has_select_for_update_skip_locked
        found = list(taken.select_for_update(skip_locked=skip).order_by("pk")[:limit])
        showing = [channel.pk for channel in _showing()]
        told = _told(found, showing)
        untold = _untold(found, now)
        rows.insert([_row(channel_id, message, untold, now) for channel_id, message in told])
        bring_forward({_pair(*one) for one in told} - untold.keys(), now)
        Incident.objects.filter(pk__in=[incident.pk for incident in found]).update(taken=False)
    return len(found)


def _showing() -> Iterable[NotificationChannel]:
    """Channels that show who is on an incident."""
    return (
        channel
        for channel in NotificationChannel.objects.filter(enabled=True).defer("config")
        if terms_of(channel).shows_owner
    )


def _told(incidents: Sequence[Incident], channel_ids: Sequence[int]) -> list[tuple[int, Message]]:
    """By channel, what these were told of each last, as it is now; a message of a newer version is left to
    that."""
    by_id = {incident.pk: incident for incident in incidents if incident.live}
    where, params = bulk.among("incident_id", by_id)
    found = bulk.fetch(_TOLD.format(where=where), params) if by_id and channel_ids else []
    return [
        (channel_id, _marked(by_id[incident_id], message))
        for incident_id, channel_id, text in found
        if channel_id in channel_ids and (message := read(text))
    ]


def _marked(incident: Incident, last: Message) -> Message:
    owner = incident.acknowledged_by
    return msgspec.structs.replace(
        last,
        id=new_id(),
        kind=ACKNOWLEDGED if incident.status == Incident.ACKNOWLEDGED else FIRING,
        reason="acknowledged" if owner else "unacknowledged",
        status=incident.status,
        owner=owner,
        actor=owner,
        note="" if owner else "Nobody is on it any more.",
        asks=[],
    )


def _untold(incidents: Sequence[Incident], now: datetime) -> dict[Pair, datetime]:
    """The channels that are to hear of these, and have heard nothing yet: when the first news goes there."""
    where, params = bulk.among("incident_id", [incident.pk for incident in incidents])
    found = bulk.fetch(_UNTOLD.format(where=where), [*params, bulk.moment(now)])
    return {(row[0], row[1]): bulk.read_moment(row[2]) or now for row in found}


def _row(channel_id: int, message: Message, untold: Mapping[Pair, datetime], now: datetime) -> bulk.Row:
    due = untold.get(_pair(channel_id, message), now)
    return rows.row(
        message, channel_id, message.incident_id, message.id, "", bulk.moment(now), bulk.moment(due)
    )


def _pair(channel_id: int, message: Message) -> Pair:
    return channel_id, message.incident_id
