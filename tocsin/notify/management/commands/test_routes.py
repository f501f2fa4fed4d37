"""``tocsin test_routes``: do routes do what people expect of them?"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from tocsin.core.terminal import Screen
from tocsin.db.command import TellingCommand
from tocsin.notify.routing.tests_file import Outcome, Report, run_file


class Command(TellingCommand[list[Report]]):
    help = "Run the routing tests of files, with a clock of their own; the exit code is 1 where one fails."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "files", nargs="+", type=Path, metavar="FILE", help="YAML with config or routing, and tests"
        )

    def answer(self, options: dict[str, Any]) -> list[Report]:
        reports = [run_file(file) for file in options["files"]]
        self.exit_code = 0 if all(report.passed for report in reports) else 1
        return reports

    def show(self, found: list[Report], screen: Screen) -> None:
        for report in found:
            screen.line((report.file, "bold"))
            for problem in report.problems:
                screen.line(("✗", "red"), problem, indent=2)
            for outcome in report.outcomes:
                _show(outcome, screen)
        outcomes = [outcome for report in found for outcome in report.outcomes]
        passed = sum(outcome.passed for outcome in outcomes)
        unread = sum(bool(report.problems) for report in found)
        failed = [f"{len(outcomes) - passed} failed", f"{unread} files could not be run" if unread else ""]
        screen.line(f"{passed} passed, {', '.join(filter(None, failed))}.")


def _show(outcome: Outcome, screen: Screen) -> None:
    if outcome.passed:
        screen.line(("✓", "green"), outcome.name, indent=2)
        return
    screen.line(("✗", "red"), outcome.name, (f"line {outcome.line}", "dim"), indent=2)
    for failure in outcome.failures:
        screen.line(failure, indent=4)
