"""What commands that look at this machine have in common: how results are told, and exit codes."""

import sys
from collections.abc import Iterable
from typing import Any, Final, Generic, TypeVar

import msgspec
from django.core.management.base import CommandError

from tocsin.checkers.checks import CRITICAL, OK, RANK, UNKNOWN, WARNING, CheckResult, worst
from tocsin.core import config
from tocsin.core.terminal import Screen, styled, took
from tocsin.db.command import TellingCommand

T = TypeVar("T")
EXIT: Final = {OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3}
METRICS_SHOWN: Final = 3
SKIPPED: Final = "All checkers are skipped (CHECKERS_SKIP_ALL, CHECKERS_SKIP)."


class Checked(msgspec.Struct):
    """What the checkers of this machine found; ``skipped`` are those that a setting keeps from running."""

    status: str
    instance: str
    checks: list[CheckResult]
    skipped: list[str] = []


def checked(results: Iterable[CheckResult], skipped: Iterable[str] = ()) -> Checked:
    """Results with the worst of their statuses."""
    found = list(results)
    return Checked(worst(each.status for each in found), config.instance_id(), found, list(skipped))


class CheckCommand(TellingCommand[T], Generic[T]):
    """Ends as a monitoring plug-in does; one that was called wrongly finds out nothing: unknown."""

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            wrongly_called = end.code == 2 and self.exit_code != 2
            sys.exit(EXIT[UNKNOWN] if wrongly_called else end.code)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            super().handle(*args, **options)
        except CommandError as error:
            error.returncode = EXIT[UNKNOWN]
            raise


def show(found: Checked, screen: Screen) -> None:
    """Results, the worst first."""
    rows = sorted(found.checks, key=lambda each: -RANK[each.status])
    if rows:
        screen.table(
            ("checker", "status", "time", "found"),
            [(each.checker, styled(each.status), took(each.duration_ms), _said(each)) for each in rows],
        )
    elif found.skipped:
        screen.line(SKIPPED)
    else:
        screen.line("There is nothing to check.")
    if rows and found.skipped:
        screen.line((f"Skipped: {', '.join(found.skipped)} (CHECKERS_SKIP)", "dim"))


def _said(found: CheckResult) -> list[list[Any]]:
    measured = list(found.metrics.items())[:METRICS_SHOWN]
    told = "  ".join(f"{name} {_value(name, value)}" for name, value in measured)
    more = len(found.metrics) - METRICS_SHOWN
    told += f"  and {more} more" if more > 0 else ""
    return [[found.message], *([[(told, "dim")]] if told else [])]


def _value(name: str, value: float) -> str:
    """A metric as people read it, by the unit that its name ends in."""
    unit = name.partition("[")[0].rpartition("_")[2]
    if unit == "bytes":
        return _bytes(value)
    if unit == "ms":
        return took(value)
    return f"{value:,.3f}".rstrip("0").rstrip(".") + {"percent": " %", "seconds": " s"}.get(unit, "")


def _bytes(value: float) -> str:
    for size, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(value) >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} bytes"
