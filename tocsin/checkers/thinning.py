"""Results thinned by age: all for two days, then one an hour for a month, then one a day for a year.

What is kept of an hour or a day is the worst that was found in it, so that what went wrong can still be
seen. Whole hours and days are thinned, a few rows at a time.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from tocsin.checkers.checks import RANK
from tocsin.checkers.models import CheckRun

ALL_FOR: Final = timedelta(days=2)
HOURLY_FOR: Final = timedelta(days=30)
DAILY_FOR: Final = timedelta(days=365)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STEP: Final = 500
_TOLD: Final = ("pk", "monitor_id", "checker", "instance", "status", "started_at")


def thin(now: datetime, limit: int = STEP) -> int:
    """Let go of some results that are too old to keep all of them; return how many were looked at."""
    return (
        _thin(CheckRun.ALL, CheckRun.HOURLY, HOUR, now - ALL_FOR, limit)
        + _thin(CheckRun.HOURLY, CheckRun.DAILY, DAY, now - HOURLY_FOR, limit)
        + _drop(now - DAILY_FOR, limit)
    )


def _thin(kept: int, then: int, span: timedelta, before: datetime, limit: int) -> int:
    old = CheckRun.objects.filter(kept=kept, started_at__lt=_floor(before, span))
    old = old.order_by("started_at", "pk")
    oldest = old.values_list("pk", flat=True).first()
    if oldest is None:
        return 0
    with transaction.atomic():
        skip = connection.features.has_select_for_update_skip_locked
        rows = list(old.select_for_update(skip_locked=skip).only(*_TOLD)[:limit])
        if not rows or rows[0].pk != oldest:
            return 0  # another worker thins just now
        first, last = _floor(rows[0].started_at, span), _floor(rows[-1].started_at, span) + span
        standing = CheckRun.objects.filter(kept=then, started_at__gte=first, started_at__lt=last)
        best = _worst_of([*standing.only(*_TOLD), *rows], span)
        gone = [row.pk for row in [*standing, *rows] if row.pk not in best]
        CheckRun.objects.filter(pk__in=gone).delete()
        CheckRun.objects.filter(pk__in=best, kept=kept).update(kept=then)
    return len(rows)


def _worst_of(rows: Iterable[CheckRun], span: timedelta) -> set[int]:
    """Of each series the worst result in each span of time, the first of those."""
    found: dict[object, tuple[int, float, int]] = {}
    for row in rows:
        series = (row.monitor_id or (row.checker, row.instance), _floor(row.started_at, span))
        rank = (-RANK.get(row.status, 0), row.started_at.timestamp(), row.pk)
        found[series] = min(found.get(series, rank), rank)
    return {pk for _, _, pk in found.values()}


def _drop(before: datetime, limit: int) -> int:
    old = CheckRun.objects.filter(kept=CheckRun.DAILY, started_at__lt=before)
    keys = list(old.order_by("started_at").values_list("pk", flat=True)[:limit])
    if keys:
        CheckRun.objects.filter(pk__in=keys).delete()
    return len(keys)


def _floor(moment: datetime, span: timedelta) -> datetime:
    """The beginning of the hour or day, in UTC."""
    start = moment.replace(minute=0, second=0, microsecond=0)
    return start.replace(hour=0) if span == DAY else start
