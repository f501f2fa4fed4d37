"""Storms: a source that opens more incidents than its budget has the rest folded into one.

A bucket for each that fills up evenly, kept in the database, so that restarts and other workers count too.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from tocsin.alerts.correlate.grouping import Group
from tocsin.alerts.correlate.rules import Rule
from tocsin.alerts.models import IncidentBudget
from tocsin.db import bulk

NAME: Final = "AlertStorm"
SECONDS: Final = 60.0  # in which an empty bucket is full again
_COLUMNS: Final = ("payer", "left_over", "counted_at")
_CHANGING: Final = _COLUMNS[1:]


class _Bucket(msgspec.Struct):
    left: float
    spent: bool = False


class Budgets:
    """How many incidents each source may still open. Lives as long as one batch's transaction."""

    def __init__(self, rules: Iterable[Rule], now: datetime) -> None:
        self._now = now
        self._stored: set[str] = set()
        limits = {rule.payer: rule.budget for rule in rules if rule.budget}
        self._buckets = {payer: _Bucket(float(budget)) for payer, budget in limits.items()}
        if not limits:
            return
        where, params = bulk.among("payer", sorted(limits))
        rest = f"FROM alerts_incidentbudget WHERE {where}{bulk.for_update()}"
        for payer, left, stamp in bulk.select(_COLUMNS, rest, params):
            counted_at = bulk.read_moment(stamp)
            assert counted_at is not None
            passed = max(0.0, (now - counted_at).total_seconds())
            self._stored.add(payer)
            full = limits[payer]
            self._buckets[payer].left = min(float(full), left + full * passed / SECONDS)

    def spend(self, rule: Rule) -> bool:
        """Whether one more incident may be opened; then it counts."""
        bucket = self._buckets.get(rule.payer)
        if bucket is None:
            return True
        if bucket.left < 1:
            return False
        bucket.left, bucket.spent = bucket.left - 1, True
        return True

    def store(self) -> None:
        """Keep what was spent."""
        stamp = bulk.moment(self._now)
        spent = {payer: bucket for payer, bucket in self._buckets.items() if bucket.spent}
        new = [(payer, bucket.left, stamp) for payer, bucket in spent.items() if payer not in self._stored]
        bulk.insert(IncidentBudget, _COLUMNS, new)
        known = [(bucket.left, stamp, payer) for payer, bucket in spent.items() if payer in self._stored]
        bulk.update(IncidentBudget, _CHANGING, ("payer",), known)


def storm_of(rule: Rule) -> Group:
    """The incident that takes what is above the budget."""
    key = hashlib.blake2b(f"storm\0{rule.payer}".encode(), digest_size=16).hexdigest()
    name = rule.payer.removeprefix("source ")
    return Group(key, f"Storm of alerts from {name}"[:255], {"alertname": NAME, "source": name})
