"""The outbox: what is due goes to the lanes, what came of it is written back. One thread's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection, transaction

from tocsin.db import bulk
from tocsin.notify.message import Message
from tocsin.notify.models import Delivery
from tocsin.notify.outcome import Outcome, next_try
from tocsin.notify.sending import Parcel
from tocsin.notify.services import LEASE

_MESSAGE = msgspec.json.Decoder(Message)
_DONE = ("state", "due_at", "lease", "sent_at", "latency_ms", "answer", "last_error")


class Due(msgspec.Struct):
    """A delivery that was claimed."""

    delivery_id: str
    message: Message


# An earlier message of the same incident to the same channel goes first.
_CLAIMABLE = """
    SELECT d.id, d.message FROM notify_delivery d
    WHERE d.channel_id = %s AND d.due_at <= %s AND NOT EXISTS (
        SELECT 1 FROM notify_delivery e WHERE e.incident_id = d.incident_id
        AND e.channel_id = d.channel_id AND e.due_at IS NOT NULL AND e.id < d.id)
    ORDER BY d.due_at LIMIT %s"""


def claim(channel_id: int, limit: int, token: str, now: datetime) -> list[Due]:
    """Take a channel's due deliveries under a lease."""
    if not bulk.fetch(_CLAIMABLE, [channel_id, bulk.moment(now), 1]):
        return []
    skip = " FOR UPDATE OF d SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    if connection.vendor == "mysql":
        skip = skip.replace(" OF d", "")
    with transaction.atomic():
        rows = bulk.fetch(_CLAIMABLE + skip, [channel_id, bulk.moment(now), limit])
        where, params = bulk.among("id", [row[0] for row in rows])
        sql = f"UPDATE notify_delivery SET lease = %s, due_at = %s, attempts = attempts + 1 WHERE {where}"  # noqa: S608
        bulk.execute(sql, [token, bulk.moment(now + LEASE), *params])
    return [Due(row[0], _MESSAGE.decode(row[1])) for row in rows]


def finish(outcomes: Sequence[Outcome], now: datetime) -> int:
    """Write what came of tries. Those whose lease was lost meanwhile change nothing."""
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
        bulk.update(Delivery, _DONE, ("id", "lease"), sent)
        if failed:
            bulk.update(Delivery, _DONE, ("id", "lease"), _failed_rows(failed, now))
    return len(outcomes)


def _failed_rows(failed: Sequence[Outcome], now: datetime) -> list[tuple[Any, ...]]:
    where, params = bulk.among("id", [outcome.delivery_id for outcome in failed])
    found = bulk.fetch(f"SELECT id, attempts, created_at FROM notify_delivery WHERE {where}", params)  # noqa: S608
    tries = {row[0]: (row[1], bulk.read_moment(row[2]) or now) for row in found}
    rows = []
    for outcome in failed:
        due = next_try(outcome, *tries.get(outcome.delivery_id, (1, now)), now)
        state = Delivery.DEAD if due is None else Delivery.RETRYING
        rows.append(
            (state, bulk.moment(due), "", None, round(outcome.latency_ms, 1), "", outcome.error[:2000],
             outcome.delivery_id, outcome.token)
        )  # fmt: skip
    return rows


def release(parcels: Sequence[Parcel], now: datetime) -> None:
    """Give back deliveries that were claimed and not begun."""
    rows = [(bulk.moment(now), "", parcel.delivery_id, parcel.token) for parcel in parcels]
    with bulk.transaction():
        bulk.update(Delivery, ("due_at", "lease"), ("id", "lease"), rows)
