"""A payload taken in, decided over and its runs begun, as one commit: who asks for a run learns which there
are, and a definition can be named that these walk and no others.

The ways in do less, and are faster: a worker decides over what they took.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Final

import msgspec
from django.db import DatabaseError, DataError, IntegrityError, transaction

from tocsin.alerts.correlate.step import correlate, pending
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.alerts.models import AlertHistory
from tocsin.alerts.news import News
from tocsin.core import doorbell
from tocsin.core.errors import Rejected, Unavailable
from tocsin.db.alone import alone_with
from tocsin.db.work import Worker
from tocsin.orchestration import definitions, engine
from tocsin.orchestration.models import PipelineRun

TRIES: Final = 3
AT_A_TIME, MOST_BEFORE = 500, 5_000
PATIENCE: Final = 5.0  # seconds, until another process that decides is through
NOTHING_NEW: Final = "nothing new: the alert is known to be so"


class Decided(msgspec.Struct):
    """What came of a post: how many changes, the news of them, and the news that waited before it."""

    changes: int
    news: list[News]
    before: list[News]


class Taken(msgspec.Struct):
    """What came of a post, on disk: the runs it began, and where there are none, why."""

    changes: int
    runs: list[str]
    reasons: list[str]


def take_in(post: Post, *, definition: str = "", now: datetime) -> Taken:
    """Take a post in and begin its runs, by the definition of that name or those that match. Raises Unknown,
    Rejected, Unavailable while too much else waits to be decided, and DatabaseError."""
    for _ in range(TRIES - 1):
        with suppress(DatabaseError):  # a deadlock, or two writers of one new fingerprint
            return _take_in(post, definition, now)
    try:
        return _take_in(post, definition, now)
    except (DataError, IntegrityError) as error:
        raise Rejected(f"the database cannot hold this: {error}") from error


def _take_in(post: Post, definition: str, now: datetime) -> Taken:
    journal, token = Journal(), Worker().token()
    with transaction.atomic():
        version = definitions.current(definition) if definition else None
        decided = decide(post, journal, now)
        _begin(decided.before, now, token, None)
        runs = _begin(decided.news, now, token, version)
    if journal.has_touches:
        journal.flush()
    doorbell.ring()
    return Taken(decided.changes, runs, [] if runs else _reasons(post))


def decide(post: Post, journal: Journal, now: datetime) -> Decided:
    """Put a post down, and decide over it after all that waits. Call it in a transaction. Raises
    Unavailable."""
    if not alone_with(AlertHistory, PATIENCE):
        raise Unavailable("another process decides over alerts; try again shortly", 1)
    before = _decide_over_what_waits(now)
    changes = journal.commit([post])
    waiting = AlertHistory.objects.filter(trace_id=post.trace_id, decision=AlertHistory.PENDING)
    mine = set(waiting.values_list("pk", flat=True))
    news: list[News] = []
    while waiting.exists() and (entries := pending(AT_A_TIME)):
        for item in correlate(entries, now):
            ours = any(change.history_id in mine for change in item.changes)
            (news if ours else before).append(item)
    return Decided(changes, news, before)


def _decide_over_what_waits(now: datetime) -> list[News]:
    news: list[News] = []
    for _ in range(0, MOST_BEFORE, AT_A_TIME):
        entries = pending(AT_A_TIME)
        if not entries:
            return news
        news += correlate(entries, now)
    raise Unavailable("too many alerts wait for correlation: try again when the worker has caught up", 2)


def _begin(news: Iterable[News], now: datetime, token: str, version: int | None) -> list[str]:
    """Make runs that any worker may take at once."""
    runs = [walk.run_id for walk in engine.start(news, now, token)]
    free = {"due_at": now, "lease": "", "attempts": 0}
    PipelineRun.objects.filter(pk__in=runs).update(**free | ({"version_id": version} if version else {}))
    return runs


def _reasons(post: Post) -> list[str]:
    """Why nobody hears of it."""
    told = AlertHistory.objects.filter(trace_id=post.trace_id).order_by("pk")
    return list(dict.fromkeys(told.values_list("reason", flat=True))) or [NOTHING_NEW]
