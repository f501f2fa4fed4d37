"""When a message goes that a route holds back: after the group's first wait, at its next turn, or when a
muting ends. What waits for the same moment is told as one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tocsin.db import bulk
from tocsin.notify.message import RESOLVED
from tocsin.notify.models import Thread

_COLUMNS: Final = ("channel_id", "incident_id", "told_at", "repeat_every", "repeat_at")
_IN_ORDER: Final = " ORDER BY incident_id, channel_id"  # in which everybody locks them
_FORWARD: Final = """
    UPDATE notify_delivery SET due_at = %s
    WHERE channel_id = %s AND state = 'pending' AND attempts = 0 AND due_at > %s AND """
Pair = tuple[int, int | None]


class Timing(msgspec.Struct, frozen=True):
    """A route's. Times are seconds."""

    group_wait: int
    group_interval: int
    repeat_interval: int
    muted_until: datetime | None = None

    def due(self, told_at: datetime | None, now: datetime) -> datetime:
        """When news of now are told, where the channel was, or will be, told last at ``told_at``."""
        if told_at is None:
            due = now + timedelta(seconds=self.group_wait)
        elif told_at > now:
            due = told_at
        else:
            due = max(now, told_at + timedelta(seconds=self.group_interval))
        return max(due, self.muted_until or due)


class Timed(msgspec.Struct):
    """A message with its route's timing."""

    channel_id: int
    incident_id: int | None
    kind: str
    timing: Timing


def plan(timed: Sequence[Timed], now: datetime) -> list[datetime]:
    """When each of these messages, in order, is told; keeps it for those that follow, and for repeats. Call
    it in the transaction that makes them."""
    told = _told_at({(one.channel_id, one.incident_id) for one in timed})
    repeats: dict[Pair, tuple[int, datetime | None]] = {}
    planned = []
    for one in timed:
        pair = (one.channel_id, one.incident_id)
        due = one.timing.due(told.get(pair), now)
        told[pair] = due
        every = one.timing.repeat_interval
        repeats[pair] = (every, None if one.kind == RESOLVED else due + timedelta(seconds=every))
        planned.append(due)
    _keep(told, repeats)
    return planned


def _told_at(pairs: Iterable[Pair]) -> dict[Pair, datetime | None]:
    pairs = set(pairs)
    where, params = bulk.among("incident_id", {incident for _, incident in pairs})
    found = bulk.select(
        _COLUMNS[:3], f"FROM notify_thread WHERE {where}{_IN_ORDER}{bulk.for_update()}", params
    )
    return {(row[0], row[1]): bulk.read_moment(row[2]) for row in found if (row[0], row[1]) in pairs}


def _keep(told: Mapping[Pair, datetime | None], repeats: Mapping[Pair, tuple[int, datetime | None]]) -> None:
    rows = []
    for (channel_id, incident_id), (every, repeat_at) in sorted(repeats.items(), key=_in_order):
        told_at = bulk.moment(told[channel_id, incident_id])
        rows.append((told_at, every, bulk.moment(repeat_at), channel_id, incident_id))
    new = [(row[3], row[4], "{}", *row[:3]) for row in rows]
    columns = ("channel_id", "incident_id", "handle", *_COLUMNS[2:])
    bulk.insert(Thread, columns, new, ignore=True)
    bulk.update(Thread, _COLUMNS[2:], _COLUMNS[:2], rows)


def _in_order(item: tuple[Pair, object]) -> tuple[int, int]:
    channel_id, incident_id = item[0]
    return incident_id or 0, channel_id


def bring_forward(pairs: Iterable[Pair], now: datetime) -> None:
    """What a route holds back of these goes now, with what is told at once: nothing waits behind it, and no
    message comes after one that is newer."""
    by_channel: dict[int, list[int | None]] = {}
    for channel_id, incident_id in pairs:
        by_channel.setdefault(channel_id, []).append(incident_id)
    for channel_id, incident_ids in sorted(by_channel.items()):
        where, params = bulk.among("incident_id", incident_ids)
        stamp = bulk.moment(now)
        bulk.execute(_FORWARD + where, [stamp, channel_id, stamp, *params])
