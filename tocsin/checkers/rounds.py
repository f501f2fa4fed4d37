"""A worker's rounds: what is due is looked at, many side by side, each in a thread and a time of its own.

Beside the turns, in a thread of its own: neither the event loop nor the database thread waits for a check.
"""

import threading
import time
from datetime import datetime
from typing import Final

import msgspec
from django.db import DatabaseError, InterfaceError, connections

from tocsin.checkers import watch
from tocsin.checkers.checks import UNKNOWN, BaseChecker, CheckResult, Options
from tocsin.checkers.models import Monitor
from tocsin.checkers.running import Look, build
from tocsin.checkers.services import enabled
from tocsin.checkers.watch import Found
from tocsin.core import log
from tocsin.core.errors import TocsinError
from tocsin.db.work import Worker

logger = log.get(__name__)
AT_ONCE: Final = 100
TRIES: Final = 3  # of a look that ends its worker each time
PAUSE_SECONDS: Final = 0.02
_KEPT: Final = 10_000

Checker = BaseChecker[Options]


class _UnderWay(msgspec.Struct):
    """A look that was begun."""

    monitor: Monitor
    at: datetime
    look: Look
    began: float
    patience: float

    @property
    def over(self) -> bool:
        """Whether it has answered, or has had its time."""
        return self.look.over or time.monotonic() >= self.began + self.patience

    def found(self) -> Found:
        """What came of it, once it is over."""
        result = self.look.result(self.began, self.patience)
        return Found(self.monitor.pk, self.monitor.lease, self.at, result)


class Rounds:
    """One worker's looks. A check that hangs beyond its time takes no room from others, and is not begun
    again while it hangs."""

    def __init__(self, worker: Worker, at_once: int = AT_ONCE) -> None:
        self._worker = worker
        self._at_once = at_once
        self._under_way: dict[str, _UnderWay] = {}
        self._hanging: dict[str, _UnderWay] = {}
        self._checkers: dict[str, tuple[datetime, Checker]] = {}  # some compare with what they saw last
        self._found: list[Found] = []  # and not yet written
        self._turns = threading.Lock()
        self._ended = False

    @property
    def busy(self) -> int:
        """How many looks have not ended."""
        return len(self._under_way)

    @property
    def hanging(self) -> int:
        """How many looks have had their time and have not ended all the same."""
        return sum(not each.look.over for each in self._hanging.values())

    def turn(self, now: datetime) -> int:
        """Write what was found, and begin what is due; return how many of both."""
        with self._turns:
            if self._ended:
                return 0
            try:
                return self._write(now) + self._begin(now)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("monitors.database_failed", error=str(error))
                connections.close_all()  # a broken connection would stay broken
                return 0

    def end(self, now: datetime, until: float) -> None:
        """Begin nothing more, wait for what is under way until then (monotonic), and give back the rest."""
        with self._turns:
            self._ended = True
            while time.monotonic() < until and not all(each.over for each in self._under_way.values()):
                time.sleep(PAUSE_SECONDS)
            self._write(now)
            left = [(key, each.monitor.lease) for key, each in self._under_way.items()]
            watch.release(left, now)
            self._under_way.clear()

    def _write(self, now: datetime) -> int:
        for key, each in [*self._under_way.items()]:
            if each.over:
                del self._under_way[key]
                self._found.append(each.found())
                if not each.look.over:
                    self._hanging[key] = each
        counted = watch.settle(self._found, now)
        self._found = []
        return counted

    def _begin(self, now: datetime) -> int:
        self._hanging = {key: each for key, each in self._hanging.items() if not each.look.over}
        token = self._worker.token()
        due = watch.claim(token, now, self._at_once - len(self._under_way))
        wanted = set(enabled({monitor.checker for monitor in due}))
        watch.pass_over([monitor for monitor in due if monitor.checker not in wanted], now)
        for monitor in due:
            if monitor.checker in wanted:
                self._look(monitor, now)
        return len(due)

    def _look(self, monitor: Monitor, now: datetime) -> None:
        hindrance = self._hindrance(monitor)
        try:
            checker = self._checker(monitor)
        except Monitor.DoesNotExist:
            return  # it was removed in this moment
        except TocsinError as error:
            hindrance = str(error)
        if hindrance:
            result = CheckResult(monitor.checker, UNKNOWN, hindrance)
            self._found.append(Found(monitor.pk, monitor.lease, now, result))
            return
        patience = checker.config.timeout
        watch.extend(monitor, patience, now)
        look = Look(monitor.checker, checker, _failed)
        self._under_way[monitor.pk] = _UnderWay(monitor, now, look, time.monotonic(), patience)

    def _hindrance(self, monitor: Monitor) -> str:
        """Why it is not looked at, if so."""
        hanging = self._hanging.get(monitor.pk)
        if hanging is not None and hanging.monitor.changed_at == monitor.changed_at:
            return "an earlier check still has not answered"
        if monitor.attempts > TRIES:
            return f"{TRIES} checks were begun and none of them ended"
        return ""

    def _checker(self, monitor: Monitor) -> Checker:
        """Its checker, the same while it is set up the same. Raises Misconfigured, UnknownPlugin."""
        since, known = self._checkers.get(monitor.pk, (None, None))
        if known is not None and since == monitor.changed_at:
            return known
        made = build(monitor.checker, monitor.options)
        if len(self._checkers) >= _KEPT:
            self._checkers.clear()  # most are of monitors that are gone
        self._checkers[monitor.pk] = monitor.changed_at, made
        return made


def _failed(checker: str, error: str) -> None:
    logger.warning("check.failed", checker=checker, error=error)
