"""Durable work, written once: rows that are due, claimed under a lease, finished or retried.

A row of work has ``due_at``: when somebody should next look at it; NULL once it is finished. To
claim it is to move ``due_at`` to the end of a lease and to write a fresh fencing token into
``lease``. A worker that dies leaves a row that falls due again by itself; one that wakes up past
its lease finds another token there, and its writes, which all name the token, change nothing.
"""

import itertools
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, models, transaction
from django.db.models.functions import Greatest

from tocsin.core.ids import new_id
from tocsin.db import bulk

# Work that a process cannot make sense of may have been made by a newer version: for so long it is left to
# others, then it is given up.
LEFT_TO_OTHERS: Final = timedelta(minutes=15)


class Worker:
    """One worker process: the maker of its fencing tokens."""

    def __init__(self) -> None:
        self.name = new_id()
        self._count = itertools.count(1)

    def token(self) -> str:
        """A fencing token that no other claim has."""
        return f"{self.name}.{next(self._count)}"


class WorkQuerySet(models.QuerySet["Any"]):
    """What can be done with rows of work."""

    def claim(self, token: str, now: datetime, lease: timedelta, limit: int) -> list[Any]:
        """Take up to ``limit`` due rows under a lease, oldest first, and return their primary keys."""
        with transaction.atomic():
            due = self.filter(due_at__lte=now).order_by("due_at")
            skip = connection.features.has_select_for_update_skip_locked
            keys = list(due.select_for_update(skip_locked=skip).values_list("pk", flat=True)[:limit])
            self._lease(keys, token, now + lease)
        return keys

    def take(self, token: str, now: datetime, lease: timedelta, keys: Iterable[Any]) -> list[Any]:
        """Take these rows under a lease, due or not, but for those that are finished or that somebody holds;
        return their primary keys."""
        free = self.filter(pk__in=list(keys), due_at__isnull=False).filter(
            models.Q(lease="") | models.Q(due_at__lte=now)
        )
        with transaction.atomic():
            skip = connection.features.has_select_for_update_skip_locked
            found = list(free.select_for_update(skip_locked=skip).values_list("pk", flat=True))
            self._lease(found, token, now + lease)
        return found

    def _lease(self, keys: list[Any], token: str, until: datetime) -> None:
        if keys:
            self.model._default_manager.filter(pk__in=keys).update(
                lease=token, due_at=until, attempts=models.F("attempts") + 1
            )

    def held(self, token: str, keys: Iterable[Any]) -> set[Any]:
        """Of these rows, lock and return those that still carry the token. Call it in a transaction."""
        table, key = self.model._meta.db_table, str(self.model._meta.pk.column)
        where, params = bulk.among(key, keys)
        rest = f"FROM {table} WHERE {where} AND lease = %s{bulk.for_update()}"
        return {row[0] for row in bulk.select((key,), rest, [*params, token])}

    def release(self, worker: str, now: datetime) -> int:
        """Make due at once all that a worker held; for when it is known to be dead."""
        return self.filter(due_at__isnull=False, lease__startswith=f"{worker}.").update(due_at=now, lease="")

    def give_back(self, worker: str, now: datetime) -> int:
        """Make due at once all that a worker held and did not get to; that counts as no try."""
        held = self.filter(due_at__isnull=False, lease__startswith=f"{worker}.")
        return held.update(due_at=now, lease="", attempts=Greatest(models.F("attempts"), 1) - 1)


class Work(models.Model):
    """The columns of durable work. ``state`` is each kind's own."""

    due_at = models.DateTimeField(null=True)
    lease = models.CharField(max_length=64, default="", blank=True, editable=False)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(default="", blank=True)

    objects = WorkQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def finished(self) -> bool:
        """Whether nobody will look at it again."""
        return self.due_at is None


def backoff(attempts: int, first: float, most: float) -> timedelta:
    """The wait before the next try: doubling, capped, with full jitter over its upper half."""
    ceiling = min(most, first * 2 ** min(attempts - 1, 30))
    return timedelta(seconds=ceiling * random.uniform(0.5, 1.0))
