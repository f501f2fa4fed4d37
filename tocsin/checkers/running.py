"""Checkers side by side, each within its own time: one that raises or hangs is unknown, and alone in it.

Without Django: commands, the worker and agents all run them from here.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

from tocsin.checkers.checks import UNKNOWN, BaseChecker, CheckResult, Options, checkers
from tocsin.core.errors import Misconfigured

OnError = Callable[[str, str], None]  # a checker's name, and what it raised


def build(
    name: str, options: Mapping[str, Any] | None = None, *, trusted: bool = False
) -> BaseChecker[Options]:
    """A checker with these options; ``trusted`` as in BaseChecker. Raises UnknownPlugin, and Misconfigured,
    which names the option."""
    kind = checkers.get(name)
    try:
        checker = kind(kind.Config.model_validate(options or {}))
        checker.trusted = trusted
        return checker
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in error.errors())
        raise Misconfigured(f"{name}: {'; '.join(wrong)}") from None


class Look:
    """One look of one checker, in a thread of its own, which may outlast everybody's patience."""

    def __init__(self, name: str, checker: BaseChecker[Options], on_error: OnError) -> None:
        self._name, self._checker, self._on_error = name, checker, on_error
        self._done = threading.Event()
        self._result: CheckResult | None = None
        self._began = time.monotonic()
        # A daemon: a thread that hangs must not keep the process from ending.
        threading.Thread(target=self._run, name=f"check-{name}", daemon=True).start()

    def _run(self) -> None:
        try:
            found = self._checker.check()
        except Exception as error:  # noqa: BLE001 - a checker may be anybody's; it fails alone
            self._on_error(self._name, repr(error))
            found = CheckResult(self._name, UNKNOWN, _said(error))
        took = (time.monotonic() - self._began) * 1000
        self._result = msgspec.structs.replace(found, duration_ms=round(took, 3))
        self._done.set()

    @property
    def over(self) -> bool:
        return self._done.is_set()

    def result(self, asked_at: float, patience: float) -> CheckResult:
        """What came of it; unknown where it has not answered ``patience`` seconds after it was asked."""
        self._done.wait(max(0.0, asked_at + patience - time.monotonic()))
        if self._result is not None:
            return self._result
        waited = (time.monotonic() - self._began) * 1000
        return CheckResult(self._name, UNKNOWN, f"no answer within {patience:g} s", {}, round(waited, 3))


class Runner:
    """Runs named checkers again and again; one that still hangs from before is not started again."""

    def __init__(
        self,
        checks: Mapping[str, BaseChecker[Options]],
        on_error: OnError = lambda name, error: None,
    ) -> None:
        self._checks = dict(checks)
        self._on_error = on_error
        self._running: dict[str, Look] = {}

    @property
    def names(self) -> list[str]:
        """What it runs."""
        return list(self._checks)

    def run(self, names: Iterable[str] | None = None) -> list[CheckResult]:
        """Look at these, or at all, and wait for each as long as its own timeout."""
        asked, asked_at = list(self._checks if names is None else names), time.monotonic()
        for name in asked:
            if name not in self._running:
                self._running[name] = Look(name, self._checks[name], self._on_error)
        return [self._collect(name, asked_at) for name in asked]

    def _collect(self, name: str, asked_at: float) -> CheckResult:
        running = self._running[name]
        found = running.result(asked_at, self._checks[name].config.timeout)
        if running.over:
            del self._running[name]
        return found


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:1_000] if text else type(error).__name__
