"""Run checkers side by side, each within its time, and keep what they found."""

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime

from tocsin.checkers.checks import RANK, UNKNOWN, BaseChecker, CheckResult, checkers
from tocsin.checkers.models import CheckRun
from tocsin.core import config, log

logger = log.get(__name__)

CONTEXT = ("cpu", "memory", "disk")
CHECK_SECONDS = 10.0
TAKEN = "-"


def enabled(names: Iterable[str]) -> list[str]:
    """Of these checkers, those that no setting skips."""
    if config.flag("CHECKERS_SKIP_ALL"):
        return []
    skipped = set(config.words("CHECKERS_SKIP"))
    return [name for name in names if name not in skipped]


class CheckSet:
    """A set of checkers and what they found last."""

    def __init__(self, names: Iterable[str] = CONTEXT) -> None:
        self._checkers: dict[str, BaseChecker] = {}  # type: ignore[type-arg]
        for name in enabled(names):
            kind = checkers.get(name)
            self._checkers[name] = kind(kind.Config())
        self._running: dict[str, Future[CheckResult]] = {}
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(self._checkers)), thread_name_prefix="check")
        self.results: list[CheckResult] = []
        self.taken_at: float = float("-inf")
        self.used_by = ""

    def run(self) -> list[CheckResult]:
        """Run all of them and wait, at most ``CHECK_SECONDS``; one that still hangs from before is not
        started again."""
        for name, checker in self._checkers.items():
            if name not in self._running:
                self._running[name] = self._pool.submit(_checked, name, checker)
        wait(self._running.values(), timeout=CHECK_SECONDS)
        self.results = [self._collect(name) for name in self._checkers]
        self.taken_at = time.monotonic()
        self.used_by = ""
        return self.results

    def _collect(self, name: str) -> CheckResult:
        running = self._running[name]
        if not running.done():
            return CheckResult(name, UNKNOWN, f"no answer within {CHECK_SECONDS:g} s")
        del self._running[name]
        return running.result()

    def latest(self, trace_id: str, fresh_seconds: float = 30.0) -> list[CheckResult]:
        """What was found last; unknown where that is too long ago."""
        age = time.monotonic() - self.taken_at
        if age > fresh_seconds:
            why = (
                "the checks have not answered yet"
                if not self.results
                else f"the checks have been stuck for {age:.0f} s"
            )
            return [CheckResult(name, UNKNOWN, why) for name in self._checkers]
        self.used_by = self.used_by or trace_id
        return self.results

    def take_used(self) -> tuple[list[CheckResult], str]:
        """Results that a run used and that have not been taken yet, with its trace id."""
        trace_id, self.used_by = self.used_by, TAKEN if self.used_by else ""
        return (self.results, trace_id) if trace_id not in ("", TAKEN) else ([], "")

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _checked(name: str, checker: BaseChecker) -> CheckResult:  # type: ignore[type-arg]
    try:
        return checker.check()
    except Exception as error:  # noqa: BLE001 - a checker may be anybody's; it fails alone
        logger.warning("check.failed", checker=name, error=repr(error))
        return CheckResult(name, UNKNOWN, f"{type(error).__name__}: {error}")


def worst(results: Iterable[CheckResult]) -> str:
    """The worst status among results; ``ok`` where there are none."""
    return max((result.status for result in results), key=lambda status: RANK[status], default="ok")


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
        )
        for result in results
    )
