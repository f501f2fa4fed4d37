"""The outbox: what is due goes to the lanes, what came of it is written back. One thread's."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection, transaction

from tocsin.core import log
from tocsin.db import bulk
from tocsin.db.work import LEFT_TO_OTHERS
from tocsin.notify import fallback, fold, paces, state
from tocsin.notify.drivers import NEW, Handle
from tocsin.notify.message import Message
from tocsin.notify.models import Delivery, Thread
from tocsin.notify.outcome import Outcome, next_try
from tocsin.notify.sending import Parcel
from tocsin.notify.services import LEASE
from tocsin.notify.terms import Terms

logger = log.get(__name__)

MOST_FAILURES_KEPT = 20
_MESSAGE = msgspec.json.Decoder(Message)
_FAILURES = msgspec.json.Decoder(list[Any])
_THREAD = ("channel_id", "incident_id", "handle")
_DONE = ("state", "due_at", "lease", "sent_at", "latency_ms", "answer", "last_error")


class Due(msgspec.Struct):
    """A delivery that was claimed, what its channel has of the incident, and what that should say now."""

    delivery_id: str
    message: Message
    handle: Handle | None = None
    head: Message | None = None


# An earlier message of the same incident to the same channel goes first.
_CLAIMABLE = """
    SELECT d.id, d.message FROM notify_delivery d
    WHERE d.channel_id = %s AND d.due_at <= %s AND NOT EXISTS (
        SELECT 1 FROM notify_delivery e WHERE e.incident_id = d.incident_id
        AND e.channel_id = d.channel_id AND e.due_at IS NOT NULL AND e.id < d.id)
    ORDER BY d.due_at LIMIT %s"""


def claim(terms: Terms, limit: int, token: str, now: datetime) -> list[Due]:
    """Take a channel's due deliveries under a lease, as many as its pace allows. Where it folds, what waits
    behind them of the same incident goes with them, and all of a storm as one."""
    by = now - terms.patience
    if not bulk.fetch(_CLAIMABLE, [terms.channel_id, bulk.moment(by), 1]):
        return []
    if terms.rate is not None and not paces.peek(terms.channel_id).allows(terms.rate, now, limit):
        return []
    with transaction.atomic():
        [pace] = paces.locked(terms.channel_id)
        most = pace.allows(terms.rate, now, limit)
        if not most:
            return []
        due = _take(terms, most, by, now)
        _lease([one.delivery_id for one in due], token, now)
        if terms.rate is not None or pace.is_open:
            pace.spend(len(due), now)
            paces.put([pace])
    return due


def _take(terms: Terms, most: int, by: datetime, now: datetime) -> list[Due]:
    """What was due at ``by``."""
    folded = fold.storm(terms, by, now) if terms.folds_above else None
    if folded is not None:
        return [Due(folded.id, folded)]
    due = fold.into_newest(terms, list(_readable(_claimable(terms.channel_id, most, by), now)), by)
    if terms.mode != NEW:
        _find_threads(terms.channel_id, due)
    return due


def _lease(keys: Sequence[str], token: str, now: datetime) -> None:
    where, params = bulk.among("id", keys)
    sql = f"UPDATE notify_delivery SET lease = %s, due_at = %s, attempts = attempts + 1 WHERE {where}"  # noqa: S608
    bulk.execute(sql, [token, bulk.moment(now + LEASE), *params])


def _claimable(channel_id: int, most: int, by: datetime) -> list[bulk.Row]:
    skip = " FOR UPDATE OF d SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    if connection.vendor == "mysql":
        skip = skip.replace(" OF d", "")
    return list(bulk.fetch(_CLAIMABLE + skip, [channel_id, bulk.moment(by), most]))


def _readable(rows: Iterable[bulk.Row], now: datetime) -> Iterator[Due]:
    for delivery_id, text in rows:
        try:
            yield Due(delivery_id, _MESSAGE.decode(text))
        except msgspec.MsgspecError as error:
            _set_aside(delivery_id, str(error), now)


def _set_aside(delivery_id: str, error: str, now: datetime) -> None:
    """A message that cannot be read, as one of a newer version: it is left to others, in the end given up."""
    logger.warning("delivery.unreadable", delivery_id=delivery_id, error=error)
    told = f"the message cannot be read: {error}"[:2000]
    row = Delivery.objects.filter(pk=delivery_id)
    if not row.filter(created_at__gt=now - LEFT_TO_OTHERS).update(due_at=now + LEASE, last_error=told):
        row.update(state=Delivery.DEAD, due_at=None, lease="", last_error=told)


def _find_threads(channel_id: int, due: Sequence[Due]) -> None:
    handles = fold.threads(channel_id, [one.message.incident_id for one in due])
    heads = state.heads(one.message for one in due)
    for one in due:
        one.handle = handles.get(one.message.incident_id)
        one.head = heads.get(one.message.incident_id or 0)


def finish(outcomes: Sequence[Outcome], now: datetime) -> int:
    """Write what came of tries, and what follows for their channels. Tries whose lease was lost meanwhile
    change nothing."""
    if not outcomes:
        return 0
    stamp = bulk.moment(now)
    sent = [
        (Delivery.SENT, None, "", stamp, round(o.latency_ms, 1), o.answer, "", o.delivery_id, o.token)
        for o in outcomes
        if o.sent
    ]
    failed = [outcome for outcome in outcomes if not outcome.sent]
    with bulk.transaction():
        ill = paces.troubled({outcome.channel_id for outcome in outcomes})
        if ill or failed or any(outcome.handle is not None for outcome in outcomes):
            _learn(outcomes, ill, now)
        bulk.update(Delivery, _DONE, ("id", "lease"), sent)
        if failed:
            _finish_failed(failed, now)
    return len(outcomes)


def _learn(outcomes: Sequence[Outcome], ill: Collection[int], now: datetime) -> None:
    """What follows from tries besides their own end: nothing from those whose lease was lost, nor from those
    whose channel is gone meanwhile, and with it their delivery."""
    where, params = bulk.among("id", [outcome.delivery_id for outcome in outcomes])
    leases = dict(bulk.fetch(f"SELECT id, lease FROM notify_delivery WHERE {where}", params))  # noqa: S608
    held = [outcome for outcome in outcomes if leases.get(outcome.delivery_id) == outcome.token]
    paces.learn(held, ill, now)
    known = [outcome for outcome in outcomes if outcome.delivery_id in leases]
    _keep_handles(known, {outcome.delivery_id for outcome in held})


def _keep_handles(outcomes: Sequence[Outcome], held: Collection[str]) -> None:
    """What was posted is there, whoever holds the lease now; but who lost it does not take the thread away
    from another post."""
    posted = [one for one in outcomes if one.handle is not None and one.incident_id is not None]
    posted.sort(key=lambda one: (one.incident_id or 0, one.channel_id))  # all lock them in one order
    rows = [(one.channel_id, one.incident_id, msgspec.json.encode(one.handle).decode()) for one in posted]
    bulk.insert(Thread, _THREAD, rows, ignore=True)
    ours = [(row[2], *row[:2]) for row, one in zip(rows, posted, strict=True) if one.delivery_id in held]
    bulk.update(Thread, _THREAD[2:], _THREAD, [(row[2], *row[:2], "{}") for row in rows])  # a route's alone
    bulk.update(Thread, _THREAD[2:], _THREAD[:2], ours)


def _finish_failed(failed: Sequence[Outcome], now: datetime) -> None:
    where, params = bulk.among("id", [outcome.delivery_id for outcome in failed])
    found = bulk.fetch(
        f"SELECT id, lease, attempts, created_at, failures FROM notify_delivery WHERE {where}",  # noqa: S608
        params,
    )
    tries = {(row[0], row[1]): row[2:] for row in found}
    rows, dead = [], []
    for outcome in failed:
        known = tries.get((outcome.delivery_id, outcome.token))
        if known is None:
            continue
        attempts, created_at, before = known
        due = next_try(outcome, attempts, bulk.read_moment(created_at) or now, now)
        if due is None:
            dead.append(outcome)
        stands = Delivery.DEAD if due is None else Delivery.RETRYING
        took, error = round(outcome.latency_ms, 1), outcome.error[:2000]
        failures = [*_FAILURES.decode(before), {"at": now.isoformat(), "took_ms": took, "error": error[:500]}]
        rows.append(
            (stands, bulk.moment(due), "", None, took, "", error,
             msgspec.json.encode(failures[-MOST_FAILURES_KEPT:]).decode(), outcome.delivery_id, outcome.token)
        )  # fmt: skip
    bulk.update(Delivery, (*_DONE, "failures"), ("id", "lease"), rows)
    fallback.stand_in(dead, now)


def release(parcels: Sequence[Parcel], now: datetime) -> None:
    """Give back deliveries that were claimed and not begun."""
    rows = [(bulk.moment(now), "", parcel.delivery_id, parcel.token) for parcel in parcels]
    with bulk.transaction():
        bulk.update(Delivery, ("due_at", "lease"), ("id", "lease"), rows)
