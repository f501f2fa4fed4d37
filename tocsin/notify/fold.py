"""Folding in the database: messages that wait for one channel become one. Call these in the transaction that
claims it; the rows that went into another say into which."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol, TypeVar

import msgspec
from django.conf import settings

from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.notify import folding, rows
from tocsin.notify.drivers import Handle
from tocsin.notify.message import QUESTION, RESOLVED, Message, read
from tocsin.notify.models import Delivery
from tocsin.notify.terms import Terms

MOST_AT_ONCE: Final = 5_000
_HANDLE: Final = msgspec.json.Decoder(Handle)
# Of those that wait longest. Neither what was posted, nor what may have been, by a try that did not end, or
# has not ended yet.
_STORM: Final = """
    FROM notify_delivery d JOIN (
        SELECT id FROM notify_delivery WHERE channel_id = %s AND due_at <= %s ORDER BY due_at LIMIT %s
    ) w ON w.id = d.id
    WHERE d.kind NOT IN ('digest', 'question') AND NOT EXISTS (
        SELECT 1 FROM notify_thread t
        WHERE t.channel_id = d.channel_id AND t.incident_id = d.incident_id AND t.handle <> '{}')
    AND NOT (d.state = 'pending' AND d.attempts > 0) AND NOT EXISTS (
        SELECT 1 FROM notify_delivery e WHERE e.incident_id = d.incident_id AND e.channel_id = d.channel_id
        AND e.due_at IS NOT NULL AND e.id < d.id
        AND (e.due_at > %s OR e.state = 'pending' AND e.attempts > 0))"""
_TOLD: Final = """
    SELECT DISTINCT d.incident_id FROM notify_delivery d LEFT JOIN notify_delivery e ON e.id = d.folded_into
    WHERE d.channel_id = %s AND (d.attempts > 0 OR d.state IN ('sent', 'dead') OR e.kind = 'digest') AND """
_FOLDED: Final = ("state", "due_at", "lease", "folded_into", "answer")


class Claimed(Protocol):
    """A delivery about to be leased."""

    delivery_id: str
    message: Message


C = TypeVar("C", bound=Claimed)


def into_newest(terms: Terms, due: Sequence[C], by: datetime) -> list[C]:
    """What waits behind these, of the same incidents, goes with them, where the channel folds or a route
    grouped them: the newest says all of it. Returns those that are left."""
    tellable = [one for one in due if one.message.kind != QUESTION]
    foldable = [one for one in tellable if terms.folds or one.message.grouped]
    waiting = _behind(terms.channel_id, foldable, by)
    folded: list[bulk.Row] = []
    for one in foldable:
        if behind := waiting.get(one.delivery_id):
            folded += _fold(one, behind)
    changed = [(msgspec.json.encode(one.message).decode(), one.delivery_id) for one in foldable]
    if folded:
        bulk.update(Delivery, ("message",), ("id",), changed)
    over = _over_unheard(terms.channel_id, foldable, {row[3] for row in folded})
    folded += [_folded(key, "", "it was over before anybody was to be told") for key in over]
    bulk.update(Delivery, _FOLDED, ("id",), folded)
    return [one for one in due if one.delivery_id not in over]


def _behind(channel_id: int, due: Sequence[Claimed], by: datetime) -> dict[str, list[tuple[str, Message]]]:
    """By delivery, those of its incident that come after it, in order, up to a question: what people are
    asked is in no other message."""
    by_incident = {one.message.incident_id: one for one in due if one.message.incident_id is not None}
    where, params = bulk.among("incident_id", by_incident)
    # With the plus no database takes the index of what is due by channel, which may hold a hundred thousand.
    later = bulk.fetch(
        f"SELECT id, incident_id, message FROM notify_delivery WHERE {where} AND +channel_id = %s"  # noqa: S608
        f" AND due_at IS NOT NULL AND due_at <= %s AND lease = '' ORDER BY id{bulk.for_update()}",
        [*params, channel_id, bulk.moment(by)],
    )
    found: dict[str, list[tuple[str, Message]]] = {}
    beyond: set[int] = set()  # what comes after a question, or after one that cannot be read, waits behind it
    for key, incident_id, text in later:
        first, message = by_incident[incident_id].delivery_id, read(text)
        if message is None or message.kind == QUESTION:
            beyond.add(incident_id)
        elif key > first and incident_id not in beyond:
            found.setdefault(first, []).append((key, message))
    return found


def _fold(one: Claimed, behind: list[tuple[str, Message]]) -> list[bulk.Row]:
    earlier = [one.delivery_id, *(key for key, _ in behind[:-1])]
    one.message = folding.newest([one.message, *(message for _, message in behind)])
    one.delivery_id = behind[-1][0]
    return [_folded(key, one.delivery_id, "a newer message says it") for key in earlier]


def _over_unheard(channel_id: int, due: Sequence[Claimed], carriers: Collection[str]) -> set[str]:
    """Of the ends of incidents that a route held back, those that carry all that the channel was to be
    told: of the incident nothing was sent, tried, or put into a digest."""
    ends = {
        one.message.incident_id: one.delivery_id
        for one in due
        if one.message.grouped and one.message.kind == RESOLVED and one.delivery_id in carriers
    }
    if not ends:
        return set()
    where, params = bulk.among("d.incident_id", ends)
    told = {row[0] for row in bulk.fetch(_TOLD + where, [channel_id, *params])}
    return {key for incident, key in ends.items() if incident not in told}


def storm(terms: Terms, by: datetime, now: datetime) -> Message | None:
    """Fold all that was due ``by`` then, where it is more than the channel wants to say one by one; None
    where it is not. What belongs to a message that people see already stays, as that one must not be left to
    say what is no longer so."""
    due, stamp = bulk.moment(by), bulk.moment(now)
    waiting = bulk.select(
        ("d.id", "d.message", "d.created_at"),
        _STORM + bulk.for_update(),
        [terms.channel_id, due, MOST_AT_ONCE, due],
    )
    told_of = [(row, message) for row in sorted(waiting) if (message := read(row[1]))]
    if len(told_of) <= terms.folds_above:
        return None
    found = [row for row, _ in told_of]
    key, trace_id = new_id(), new_id()
    since = min(bulk.read_moment(row[2]) or now for row in found)
    messages = _one_each(message for _, message in told_of)
    told = folding.digest(
        messages, (now - since).total_seconds(), id=key, trace_id=trace_id,
        url=f"{settings.PUBLIC_URL}/deliveries/{key}/",
    )  # fmt: skip
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
