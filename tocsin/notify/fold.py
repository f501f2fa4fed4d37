"""Folding in the database: messages that wait for one channel become one. Call these in the transaction that
claims it; the rows that went into another say into which."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol

import msgspec
from django.conf import settings

from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.notify import folding, rows
from tocsin.notify.drivers import Handle
from tocsin.notify.message import Message
from tocsin.notify.models import Delivery
from tocsin.notify.terms import Terms

MOST_AT_ONCE: Final = 5_000
_MESSAGE: Final = msgspec.json.Decoder(Message)
_HANDLE: Final = msgspec.json.Decoder(Handle)
_STORM: Final = """
    FROM notify_delivery d WHERE d.channel_id = %s AND d.due_at <= %s AND d.kind <> 'digest' AND NOT EXISTS (
        SELECT 1 FROM notify_thread t WHERE t.channel_id = d.channel_id AND t.incident_id = d.incident_id)
    ORDER BY d.due_at LIMIT %s"""
_FOLDED: Final = ("state", "due_at", "lease", "folded_into", "answer")


class Claimed(Protocol):
    """A delivery about to be leased."""

    delivery_id: str
    message: Message


def into_newest(channel_id: int, due: Sequence[Claimed], now: datetime) -> None:
    """What waits behind these, of the same incidents, goes with them: the newest says all of it."""
    incidents = [one.message.incident_id for one in due if one.message.incident_id is not None]
    where, params = bulk.among("incident_id", incidents)
    later = bulk.fetch(
        f"SELECT id, incident_id, message FROM notify_delivery WHERE {where} AND channel_id = %s"  # noqa: S608
        f" AND due_at <= %s AND lease = '' ORDER BY id{bulk.for_update()}",
        [*params, channel_id, bulk.moment(now)],
    )
    waiting: dict[int, list[tuple[str, Message]]] = {}
    for row in later:
        waiting.setdefault(row[1], []).append((row[0], _MESSAGE.decode(row[2])))
    folded: list[bulk.Row] = []
    for one in due:
        behind = [item for item in waiting.get(one.message.incident_id or 0, []) if item[0] > one.delivery_id]
        if behind:
            folded += _fold(one, behind)
    bulk.update(Delivery, _FOLDED, ("id",), folded)
    changed = [(msgspec.json.encode(one.message).decode(), one.delivery_id) for one in due]
    if folded:
        bulk.update(Delivery, ("message",), ("id",), changed)


def _fold(one: Claimed, behind: list[tuple[str, Message]]) -> list[bulk.Row]:
    earlier = [one.delivery_id, *(key for key, _ in behind[:-1])]
    one.message = folding.newest([one.message, *(message for _, message in behind)])
    one.delivery_id = behind[-1][0]
    return [_folded(key, one.delivery_id, "a newer message says it") for key in earlier]


def storm(terms: Terms, now: datetime) -> Message | None:
    """Fold all that is due, where it is more than the channel wants to say one by one; None where it is not.
    What belongs to a message that people see already stays, as that one must not be left to say what is no
    longer so."""
    found = bulk.select(
        ("d.id", "d.message", "d.created_at"),
        _STORM + bulk.for_update(),
        [terms.channel_id, bulk.moment(now), MOST_AT_ONCE],
    )
    if len(found) <= terms.folds_above:
        return None
    key, trace_id = new_id(), new_id()
    since = min(bulk.read_moment(row[2]) or now for row in found)
    messages = _one_each([_MESSAGE.decode(row[1]) for row in sorted(found, key=lambda row: row[0])])
    told = folding.digest(
        messages, (now - since).total_seconds(), id=key, trace_id=trace_id,
        url=f"{settings.PUBLIC_URL}/deliveries/{key}/",
    )  # fmt: skip
    stamp = bulk.moment(now)
    rows.insert([rows.row(told, terms.channel_id, None, key, "", stamp, stamp)])
    bulk.update(Delivery, _FOLDED, ("id",), [_folded(row[0], key, "a digest says it") for row in found])
    return told


def _one_each(messages: Iterable[Message]) -> list[Message]:
    """The news of each incident as one message."""
    by_incident: dict[object, list[Message]] = {}
    for message in messages:
        by_incident.setdefault(message.incident_id or message.id, []).append(message)
    return [folding.newest(those) for those in by_incident.values()]


def _folded(key: str, into: str, why: str) -> bulk.Row:
    return (Delivery.FOLDED, None, "", into, why, key)


def threads(channel_id: int, incident_ids: Iterable[int | None]) -> dict[int | None, Handle]:
    """By incident, what a channel has of it."""
    where, params = bulk.among("incident_id", [key for key in incident_ids if key is not None])
    sql = f"SELECT incident_id, handle FROM notify_thread WHERE {where} AND channel_id = %s"  # noqa: S608
    return {row[0]: _HANDLE.decode(row[1]) for row in bulk.fetch(sql, [*params, channel_id])}
