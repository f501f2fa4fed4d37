"""``tocsin run_pipeline``: an alert's whole way, now, in this terminal."""

import sys
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.checkers.checks import CheckResult, worst
from tocsin.checkers.services import CheckSet
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id
from tocsin.core.terminal import Screen, styled
from tocsin.db.command import TellingCommand
from tocsin.orchestration import starting
from tocsin.orchestration.management.carrying import Carried, carry, show_carried, show_rehearsed
from tocsin.orchestration.sample import sample
from tocsin.orchestration.starting import Asked, Rehearsed


class Checked(msgspec.Struct):
    """What the CHECK stage gives."""

    status: str
    checks: list[CheckResult]


class Command(TellingCommand[Checked | Rehearsed | Carried]):
    help = "Take an alert in and carry it through the pipeline, or show what would come of it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--sample", action="store_true", help="a built-in, believable alert")
        source.add_argument("--payload", metavar="JSON", help="a payload as a monitoring tool would post it")
        source.add_argument("--file", metavar="PATH", help="a file with such a payload; - is standard input")
        source.add_argument(
            "--checks-only", action="store_true", help="run the CHECK stage alone: cpu, memory, disk"
        )
        parser.add_argument("--driver", help="which tool's payload it is; default: found from the payload")
        parser.add_argument(
            "--definition", metavar="NAME", help="walk this one; default: the one that matches"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be; store and send nothing"
        )

    def answer(self, options: dict[str, Any]) -> Checked | Rehearsed | Carried:
        body = None if options["checks_only"] else _body(options)
        checks = CheckSet()
        results = checks.run()
        if body is None:
            return Checked(worst(result.status for result in results), results)
        asked = Asked(payload=body, driver=options["driver"] or "", definition=options["definition"] or "")
        if options["dry_run"]:
            return starting.rehearse(asked, checks, clock.now())
        return carry(starting.begin(asked, new_id(), clock.now()), checks)

    def show(self, found: Checked | Rehearsed | Carried, screen: Screen) -> None:
        if isinstance(found, Checked):
            _show_checks(found, screen)
        elif isinstance(found, Rehearsed):
            show_rehearsed(found, screen)
        else:
            show_carried(found, screen)


def _body(options: dict[str, Any]) -> bytes:
    if options["sample"]:
        return sample(clock.now())
    if options["payload"] is not None:
        return str(options["payload"]).encode()
    if options["file"] == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(options["file"]).read_bytes()
    except OSError as error:
        raise Rejected(f"cannot read {options['file']}: {error.strerror}") from error


def _show_checks(found: Checked, screen: Screen) -> None:
    rows = [(check.checker, styled(check.status), check.message) for check in found.checks]
    screen.table(("checker", "status", "found"), rows)
    if not rows:
        screen.line("All checkers are skipped (CHECKERS_SKIP_ALL, CHECKERS_SKIP).")
