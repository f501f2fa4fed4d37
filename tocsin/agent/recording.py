"""What checks found becomes a round in the spool, with the times that belong to it."""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from tocsin.agent.rounds import Alert
from tocsin.agent.settings import Check, Settings
from tocsin.agent.spool import Say, Spool
from tocsin.agent.states import States
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.running import OnError, Runner
from tocsin.core import clock

STATES: Final = "states.json"


class Looker:
    """Runs checks side by side, each within its own time."""

    def __init__(self, checks: Iterable[Check], on_error: OnError = lambda check, error: None) -> None:
        self._checks = {check.id: check for check in checks}
        self._runner = Runner({check.id: check.built for check in self._checks.values()}, on_error)

    def look(self) -> tuple[datetime, list[tuple[Check, CheckResult]]]:
        """When it began, and what each found."""
        began = clock.now()
        return began, list(zip(self._checks.values(), self._runner.run(), strict=True))


class Recorder:
    """Puts rounds into a spool. Safe to use from several threads."""

    def __init__(self, settings: Settings, spool: Spool) -> None:
        self._settings, self._spool = settings, spool
        self._states = States(settings.folder / STATES)
        self._states.catch_up(spool.changes_since(self._states.seq))
        self._lock = threading.Lock()
        self._unsaved = False

    def record(self, began: datetime, found: Iterable[tuple[Check, CheckResult]]) -> list[Alert]:
        """Keep a round. It is on the disk when this returns, where that can be written."""
        with self._lock:
            alerts = alerts_of(self._states, self._settings.hostname, began, found)
            seq = self._spool.add(alerts, clock.now())
            # In this order: a round that is spooled tells what changed, should this end before that is saved.
            if self._unsaved or not all(alert.steady for alert in alerts):
                self._save(seq)
        return alerts

    def forget_others(self) -> None:
        """End what was found by checks that are not configured any more."""
        with self._lock:
            now = clock.now()
            configured = {check.id for check in self._settings.checks}
            if ended := self._states.forget(configured, self._settings.hostname, now):
                self._save(self._spool.add(ended, now))

    def _save(self, seq: int) -> None:
        try:
            self._states.save(seq)
        except OSError:  # the spool has said so; the next round tries again
            self._unsaved = True
        else:
            self._unsaved = False


def alerts_of(
    states: States, hostname: str, began: datetime, found: Iterable[tuple[Check, CheckResult]]
) -> list[Alert]:
    """Results as the hub takes them."""
    return [states.alert(check.id, check.checker, hostname, result, began) for check, result in found]


def spool_of(settings: Settings, now: Callable[[], datetime], say: Say) -> Spool:
    """The spool of these settings, which must be held."""
    return Spool(
        settings.folder / "spool",
        max_bytes=settings.max_bytes,
        max_age=settings.max_age,
        now=now(),
        say=say,
    )
