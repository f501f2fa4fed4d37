"""Run checkers side by side, each within its time, and keep what they found."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.checkers.checks import UNKNOWN, CheckResult, checkers, worst
from tocsin.checkers.models import CheckRun
from tocsin.checkers.running import Runner, build
from tocsin.core import config, log

logger = log.get(__name__)

CONTEXT = ("cpu", "memory", "disk")
TAKEN = "-"
ALONE: Final = "it was taken in without incidents (check_and_alert --no-incidents)"


def enabled(names: Iterable[str]) -> list[str]:
    """Of these checkers, those that no setting skips."""
    if config.flag("CHECKERS_SKIP_ALL"):
        return []
    skipped = set(config.words("CHECKERS_SKIP"))
    return [name for name in names if name not in skipped]


def everywhere() -> list[str]:
    """The checkers that have something to look at on every machine."""
    return [name for name in checkers.names() if checkers.get(name).everywhere]


class CheckSet:
    """A set of checkers and what they found last."""

    def __init__(self, names: Iterable[str] = CONTEXT) -> None:
        self._runner = Runner({name: build(name) for name in enabled(names)}, _failed)
        self.results: list[CheckResult] = []
        self.taken_at: float = float("-inf")
        self.used_by = ""

    def run(self) -> list[CheckResult]:
        """Run all of them and wait."""
        self.results = self._runner.run()
        self.taken_at = time.monotonic()
        self.used_by = ""
        return self.results

    def latest(self, trace_id: str, fresh_seconds: float = 30.0) -> list[CheckResult]:
        """What was found last; unknown where that is too long ago."""
        age = time.monotonic() - self.taken_at
        if age > fresh_seconds:
            why = (
                "the checks have not answered yet"
                if not self.results
                else f"the checks have been stuck for {age:.0f} s"
            )
            return [CheckResult(name, UNKNOWN, why) for name in self._runner.names]
        self.used_by = self.used_by or trace_id
        return self.results

    def take_used(self) -> tuple[list[CheckResult], str]:
        """Results that a run used and that have not been taken yet, with its trace id."""
        trace_id, self.used_by = self.used_by, TAKEN if self.used_by else ""
        return (self.results, trace_id) if trace_id not in ("", TAKEN) else ([], "")


def _failed(checker: str, error: str) -> None:
    logger.warning("check.failed", checker=checker, error=error)


def described(results: Sequence[CheckResult]) -> dict[str, Any]:
    """What checkers found, as one document."""
    return {
        "status": worst(result.status for result in results),
        "checks": {
            result.checker: {"status": result.status, "message": result.message, "metrics": result.metrics}
            for result in results
        },
    }


def record(results: Iterable[CheckResult], trace_id: str, now: datetime) -> None:
    """Keep what checkers found."""
    CheckRun.objects.bulk_create(
        CheckRun(
            checker=result.checker,
            instance=config.instance_id(),
            status=result.status,
            message=result.message,
            metrics=result.metrics,
            trace_id=trace_id,
            started_at=now,
            duration_ms=result.duration_ms,
        )
        for result in results
    )


def worth_taking(events: Iterable[AlertEvent]) -> list[AlertEvent]:
    """Without the ends of alerts that never fired: each check that finds nothing would be noted else."""
    told = list(events)
    ending = [event.fingerprint for event in told if event.status == "resolved"]
    fired = set(Alert.objects.filter(fingerprint__in=ending).values_list("fingerprint", flat=True))
    return [event for event in told if event.status != "resolved" or event.fingerprint in fired]


def take_in(post: Post, *, incidents: bool = True) -> int:
    """Take alerts in as intake does; return how many changes they made.

    Without incidents the changes are decided over at once, as ignored: no incident is opened for them, and
    nobody is told. A later end of such an alert has no incident to end either.
    """
    journal = Journal()
    changes = journal.commit([post]) if incidents else _commit_alone(journal, post)
    if journal.has_touches:
        journal.flush()
    return changes


def _commit_alone(journal: Journal, post: Post) -> int:
    """Commit and decide in one transaction, so that no worker finds anything undecided between."""
    with transaction.atomic():
        changes = journal.commit([post])
        undecided = AlertHistory.objects.filter(trace_id=post.trace_id, decision=AlertHistory.PENDING)
        undecided.update(decision=AlertHistory.IGNORED, reason=ALONE)
    return changes
