"""``tocsin check_health``: is this machine well?"""

from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.checkers.checks import CRITICAL, checkers
from tocsin.checkers.management.telling import EXIT, CheckCommand, Checked, checked, show
from tocsin.checkers.options import about, fields_of
from tocsin.checkers.running import Runner, build
from tocsin.checkers.services import enabled, everywhere
from tocsin.core.fields import Field
from tocsin.core.terminal import Screen


class Listed(msgspec.Struct):
    """One checker; ``everywhere`` where it needs no options to look at any machine."""

    name: str
    about: str
    everywhere: bool
    skipped: bool
    options: list[Field]


class Known(msgspec.Struct):
    """All of them."""

    checkers: list[Listed]


class Command(CheckCommand[Checked | Known]):
    help = "Run the checkers of this machine, or those named, side by side."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "checkers", nargs="*", metavar="CHECKER", help="which; default: all that need no options"
        )
        parser.add_argument(
            "--list", action="store_true", help="tell what checkers there are, and their options"
        )
        parser.add_argument(
            "--fail-on-warning", action="store_true",
            help="exit code 1 for a warning, 2 for critical, 3 for unknown",
        )  # fmt: skip
        parser.add_argument(
            "--fail-on-critical", action="store_true", help="exit code 2 for critical, else 0"
        )

    def answer(self, options: dict[str, Any]) -> Checked | Known:
        if options["list"]:
            return Known([_listed(name) for name in options["checkers"] or checkers.names()])
        asked = options["checkers"] or everywhere()
        wanted = enabled(asked)
        results = Runner({name: build(name, trusted=True) for name in wanted}).run()
        found = checked(results, (name for name in asked if name not in wanted))
        self.exit_code = _exit_code(found.status, options)
        return found

    def show(self, found: Checked | Known, screen: Screen) -> None:
        if isinstance(found, Checked):
            show(found, screen)
        else:
            _show_known(found, screen)


def _exit_code(status: str, options: dict[str, Any]) -> int:
    if options["fail_on_warning"] or (options["fail_on_critical"] and status == CRITICAL):
        return EXIT[status]
    return 0


def _listed(name: str) -> Listed:
    skipped = not enabled([name])
    return Listed(name, about(name), checkers.get(name).everywhere, skipped, fields_of(name))


def _show_known(found: Known, screen: Screen) -> None:
    for each in found.checkers:
        screen.gap()
        screen.line((each.name, "bold"), each.about)
        notes = (
            "runs without options" if each.everywhere else "",
            "skipped by a setting" if each.skipped else "",
        )
        if any(notes):
            screen.line(("; ".join(filter(None, notes)), "dim"), indent=2)
        rows = [
            (field.name, "required" if field.required else field.default, field.description)
            for field in each.options
        ]
        screen.table(("option", "default", "meaning"), rows, indent=2)
