"""Monitors that are due are claimed, and what they found is written: result, counters and alert in one
commit."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from django.db import transaction

from tocsin.alerts.intake.journal import Journal, Post
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.models import CheckRun, Monitor
from tocsin.checkers.timing import after_look, next_look
from tocsin.checkers.verdict import SOURCE, clean, judge
from tocsin.core import config
from tocsin.core.ids import new_id
from tocsin.core.labels import encode
from tocsin.db import bulk

LEASE: Final = timedelta(seconds=60)
MARGIN: Final = timedelta(seconds=30)  # a lease outlives a check's own time by so much
_FOUND: Final = (
    "due_at", "lease", "attempts", "last_status", "last_message", "last_run_at", "since", "failing_count",
    "passing_count", "firing", "recent",
)  # fmt: skip
_RUN: Final = (
    "checker", "instance", "monitor_id", "status", "message", "metrics", "trace_id", "started_at",
    "duration_ms", "kept",
)  # fmt: skip


class Found(msgspec.Struct):
    """What a look under a lease found; ``at`` is when it began."""

    monitor_id: str
    token: str
    at: datetime
    result: CheckResult


def claim(token: str, now: datetime, room: int) -> list[Monitor]:
    """Take up to ``room`` monitors that are due under a lease, without their options."""
    if room <= 0 or not Monitor.objects.filter(due_at__lte=now).exists():
        return []
    keys = Monitor.objects.claim(token, now, LEASE, room)
    return list(Monitor.objects.filter(pk__in=keys, lease=token).defer("options").order_by("pk"))


def lease_of(timeout: object) -> timedelta:
    """How long a look of so many seconds is leased."""
    seconds = float(timeout) if isinstance(timeout, int | float | str) else 0.0
    return max(LEASE, timedelta(seconds=seconds) + MARGIN)


def extend(monitor: Monitor, timeout: float, now: datetime) -> None:
    """Make a lease last as long as its check may take."""
    if lease_of(timeout) > LEASE:
        held = Monitor.objects.filter(pk=monitor.pk, lease=monitor.lease)
        held.update(due_at=now + lease_of(timeout))


def settle(found: Sequence[Found], now: datetime) -> int:
    """Write what looks found; return how many counted. Those whose lease was lost meanwhile change nothing:
    somebody else looks, or the monitor was changed, disabled or removed."""
    if not found:
        return 0
    with transaction.atomic():
        held = _held(found)
        posts, runs = [], []
        for monitor, each in held:
            each.result = clean(each.result)
            alert = judge(monitor, each.result, each.at)
            trace_id = new_id() if alert else ""
            if alert is not None:
                posts.append(Post([alert], SOURCE, trace_id, now))
            runs.append(_run(each, monitor, trace_id))
        bulk.insert(CheckRun, _RUN, runs)
        if posts:
            Journal().commit(posts)
        bulk.update(Monitor, _FOUND, ("id",), [_row(monitor, each, now) for monitor, each in held])
    return len(held)


def pass_over(monitors: Iterable[Monitor], now: datetime) -> None:
    """Give back monitors that are not to look; they are due again at their next slot."""
    for monitor in monitors:
        due = next_look(monitor.pk, monitor.interval, monitor.jitter, after_look(now, monitor.interval, now))
        Monitor.objects.filter(pk=monitor.pk, lease=monitor.lease).update(due_at=due, lease="", attempts=0)


def release(found: Iterable[tuple[str, str]], now: datetime) -> None:
    """Give back monitors whose looks were not waited for, by key and token."""
    rows = [(bulk.moment(now), "", 0, key, token) for key, token in found]
    if rows:
        with bulk.transaction():
            bulk.update(Monitor, ("due_at", "lease", "attempts"), ("id", "lease"), rows)


def _held(found: Sequence[Found]) -> list[tuple[Monitor, Found]]:
    rows = Monitor.objects.select_for_update().defer("options").order_by("pk")
    known = {monitor.pk: monitor for monitor in rows.filter(pk__in=[each.monitor_id for each in found])}
    paired = ((known.get(each.monitor_id), each) for each in found)
    return [(monitor, each) for monitor, each in paired if monitor and monitor.lease == each.token]


def _row(monitor: Monitor, found: Found, now: datetime) -> bulk.Row:
    after = after_look(found.at, monitor.interval, now)
    due = next_look(monitor.pk, monitor.interval, monitor.jitter, after)
    return (
        bulk.moment(due), "", 0, monitor.last_status, monitor.last_message, bulk.moment(monitor.last_run_at),
        bulk.moment(monitor.since), monitor.failing_count, monitor.passing_count, monitor.firing,
        monitor.recent, monitor.pk,
    )  # fmt: skip


def _run(found: Found, monitor: Monitor, trace_id: str) -> bulk.Row:
    result = found.result
    return (
        monitor.checker, config.instance_id(), monitor.pk, result.status, result.message,
        encode(result.metrics).decode(), trace_id, bulk.moment(found.at), result.duration_ms, CheckRun.ALL,
    )  # fmt: skip
