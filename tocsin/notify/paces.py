"""Channels' paces in the database, where all workers share them. Call these in a transaction."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from tocsin.db import bulk
from tocsin.notify.models import ChannelPace
from tocsin.notify.outcome import Outcome
from tocsin.notify.pace import Pace

_COLUMNS: Final = (
    "channel_id", "tokens", "filled_at", "failures", "paused_until", "failing_since", "tell_at", "told",
    "last_error",
)  # fmt: skip
_FROM: Final = "FROM notify_channelpace WHERE"
_TO_TELL: Final = """(tell_at <= %s OR (told = %s AND channel_id IN (
    SELECT id FROM notify_notificationchannel WHERE enabled = %s)))"""


def locked(*channel_ids: int) -> list[Pace]:
    """Channels' paces, in order, which nobody else changes until the transaction ends. Lock them before
    deliveries: so does everybody."""
    where, params = bulk.among("channel_id", channel_ids)
    found = _read(where, params)
    if missing := set(channel_ids) - {pace.channel_id for pace in found}:
        bulk.insert(ChannelPace, _COLUMNS, [_row(Pace(key)) for key in sorted(missing)], ignore=True)
        found = _read(where, params)
    return found


def peek(channel_id: int) -> Pace:
    """A channel's as it is now, for who only wants to know whether it is worth to lock it."""
    found = _read("channel_id = %s", [channel_id], lock="")
    return found[0] if found else Pace(channel_id)


def put(paces: Iterable[Pace]) -> None:
    """Write them."""
    rows = [_row(pace) for pace in paces]
    bulk.update(ChannelPace, _COLUMNS[1:], ("channel_id",), [(*row[1:], row[0]) for row in rows])


def paused(now: datetime) -> dict[int, bool]:
    """The channels whose circuit is open: whether one message may be tried now."""
    found = bulk.fetch(f"SELECT channel_id, failures, paused_until {_FROM} paused_until IS NOT NULL")
    paces = [Pace(row[0], failures=row[1], paused_until=bulk.read_moment(row[2])) for row in found]
    return {
        pace.channel_id: bool(pace.allows(None, now, 1))
        for pace in paces
        if pace.is_open or not pace.allows(None, now, 1)
    }


def troubled(channel_ids: Iterable[int]) -> set[int]:
    """Those of these channels with which something is wrong."""
    where, params = bulk.among("channel_id", channel_ids)
    sql = f"SELECT channel_id {_FROM} {where} AND (failures > 0 OR failing_since IS NOT NULL)"
    return {row[0] for row in bulk.fetch(sql, params)}


def learn(outcomes: Sequence[Outcome], ill: Collection[int], now: datetime) -> None:
    """What came of tries opens and closes circuits; ``ill`` are the channels with which something was wrong.
    Where nothing is, nothing is written."""
    failed: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        if not outcome.sent and outcome.channel_id:  # one of before there were paces does not name it
            failed.setdefault(outcome.channel_id, []).append(outcome)
    sent = {outcome.channel_id for outcome in outcomes if outcome.sent}
    concerned = failed.keys() | (sent & set(ill))
    if not concerned:
        return
    changed = locked(*concerned)
    for pace in changed:
        _take_in(pace, failed.get(pace.channel_id, []), pace.channel_id in sent, now)
    put(changed)


def _take_in(pace: Pace, failed: Sequence[Outcome], some_sent: bool, now: datetime) -> None:
    """A channel that took some messages of a batch is no dead one."""
    if some_sent:
        pace.succeeded(now)
    refused = [outcome for outcome in failed if outcome.final]
    passing = [outcome for outcome in failed if not outcome.final]
    if passing:
        asked = [outcome.retry_after for outcome in passing if outcome.retry_after is not None]
        pace.failed(
            passing[-1].error, now, times=0 if some_sent else len(passing),
            retry_after=max(asked, default=None),
        )  # fmt: skip
    if refused:
        pace.refused(refused[-1].error, now)


def any_to_tell(now: datetime) -> bool:
    """Whether there are any."""
    return bool(bulk.fetch(f"SELECT 1 {_FROM} {_TO_TELL} LIMIT 1", [bulk.moment(now), True, False]))


def to_tell(now: datetime) -> list[Pace]:
    """Those of which people should hear that they fail, or work again, or are off."""
    return _read(_TO_TELL, [bulk.moment(now), True, False])


def _read(where: str, params: Sequence[object], lock: str | None = None) -> list[Pace]:
    rest = f"{_FROM} {where} ORDER BY channel_id{bulk.for_update() if lock is None else lock}"
    return [_pace(row) for row in bulk.fetch(f"SELECT {', '.join(_COLUMNS)} {rest}", params)]


def _pace(row: bulk.Row) -> Pace:
    moment = bulk.read_moment
    return Pace(
        row[0], row[1], moment(row[2]), row[3], moment(row[4]), moment(row[5]), moment(row[6]), bool(row[7]),
        row[8],
    )  # fmt: skip


def _row(pace: Pace) -> bulk.Row:
    moment = bulk.moment
    return (
        pace.channel_id, pace.tokens, moment(pace.filled_at), pace.failures, moment(pace.paused_until),
        moment(pace.failing_since), moment(pace.tell_at), pace.told, pace.last_error[:2000],
    )  # fmt: skip
