"""``tocsin run_pipeline``: an alert's whole way, now, in this terminal."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from django.core.management.base import CommandParser

from tocsin.alerts.detect import detect
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import Problem, Reading
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.alerts.intake.limits import keep_good
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.services import CheckSet, worst
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id
from tocsin.core.terminal import Screen, moment, styled
from tocsin.db.command import TellingCommand
from tocsin.orchestration import inline, story
from tocsin.orchestration.management import telling
from tocsin.orchestration.preview import Preview, PreviewedAlert, PreviewedRun, preview
from tocsin.orchestration.sample import sample

WAIT_SECONDS: Final = 30.0


class Checked(msgspec.Struct):
    """What the CHECK stage gives."""

    status: str
    checks: list[CheckResult]


class Previewed(msgspec.Struct):
    """What would be; nothing was stored."""

    driver: str
    errors: list[Problem]
    alerts: list[PreviewedAlert]
    runs: list[PreviewedRun]
    dry_run: bool = True


class Carried(msgspec.Struct):
    """What was taken in and what came of it; ``story`` is empty where it told nothing new."""

    trace_id: str
    driver: str
    alerts: int
    changes: int
    errors: list[Problem]
    finished: bool
    story: story.Story | None


class Command(TellingCommand[Checked | Previewed | Carried]):
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
            "--dry-run", action="store_true", help="show what would be; store and send nothing"
        )

    def answer(self, options: dict[str, Any]) -> Checked | Previewed | Carried:
        body = None if options["checks_only"] else _body(options)
        checks = CheckSet()
        try:
            results = checks.run()
            if body is None:
                return Checked(worst(results), results)
            driver = options["driver"] or detect(body)
            reading = _reading(driver, body)
            post = Post(reading.alerts, driver, new_id(), clock.now())
            if options["dry_run"]:
                found: Preview = preview(post, checks, post.received_at)
                return Previewed(driver, reading.errors, found.alerts, found.runs)
            return _carried(post, reading.errors, checks)
        finally:
            checks.close()

    def show(self, found: Checked | Previewed | Carried, screen: Screen) -> None:
        if isinstance(found, Checked):
            _show_checks(found, screen)
        elif isinstance(found, Previewed):
            _show_preview(found, screen)
        else:
            _show_carried(found, screen)


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


def _reading(driver: str, body: bytes) -> Reading:
    reading = keep_good(drivers.get(driver)().parse(body))
    if reading.errors and not reading.alerts:
        raise Rejected(f"alerts[{reading.errors[0].index}]: {reading.errors[0].message}")
    return reading


def _carried(post: Post, errors: list[Problem], checks: CheckSet) -> Carried:
    journal = Journal()
    changes = journal.commit([post])
    if journal.has_touches:
        journal.flush()
    finished = inline.carry(post.trace_id, checks, WAIT_SECONDS) if changes else True
    told = story.tell(post.trace_id) if changes else None
    return Carried(post.trace_id, post.source, len(post.events), changes, errors, finished, told)


def _show_checks(found: Checked, screen: Screen) -> None:
    rows = [(check.checker, styled(check.status), check.message) for check in found.checks]
    screen.table(("checker", "status", "found"), rows)
    if not rows:
        screen.line("All checkers are skipped (CHECKERS_SKIP_ALL, CHECKERS_SKIP).")


def _show_errors(errors: Iterable[Problem], screen: Screen) -> None:
    for problem in errors:
        screen.line(("✗", "red"), f"alerts[{problem.index}] cannot be read: {problem.message}")


def _show_preview(found: Previewed, screen: Screen) -> None:
    screen.line(("Dry run", "bold"), "Nothing is stored or sent; incident numbers are provisional.")
    screen.heading(f"Read by the {found.driver} driver")
    for alert in found.alerts:
        _show_alert(alert, screen)
    _show_errors(found.errors, screen)
    for run in found.runs:
        _show_run(run, screen)
    if not found.runs:
        screen.heading("No run would start, and nobody would be told.")


def _show_alert(alert: PreviewedAlert, screen: Screen) -> None:
    screen.line((alert.name, "bold"), styled(alert.status), styled(alert.severity), indent=2)
    facts = [
        ("fingerprint", alert.fingerprint),
        ("started", f"{moment(alert.started_at)} UTC" if alert.started_at else ""),
        ("ended", f"{moment(alert.ended_at)} UTC" if alert.ended_at else ""),
        *((f"  {name}", value) for name, value in alert.labels.items()),
        *((f"  {name}", value) for name, value in alert.annotations.items()),
        ("decision", f"{alert.change}: {alert.decision}" if alert.change else alert.decision),
    ]
    screen.facts(facts, indent=4)


def _show_run(run: PreviewedRun, screen: Screen) -> None:
    screen.heading(f"Run for {'a new incident' if run.new_incident else 'the incident'}: {run.title}")
    for stage in run.stages:
        mark = ("✗", "bold red") if stage.error else ("✓", "green")
        given = story.note(stage.stage, stage.output)
        screen.line(mark, f"{stage.stage:<7}", (stage.error, "red"), given, indent=2)
        for found in stage.output.get("recommendations", []):
            screen.line(("→", "dim"), found["advice"], indent=12)
    told = ", ".join(run.channels)
    screen.line(f"Would tell {told}." if told else "Would tell nobody.", indent=2)


def _show_carried(found: Carried, screen: Screen) -> None:
    count = f"{found.alerts} alert{'' if found.alerts == 1 else 's'}"
    screen.line(f"Taken in {count} by the {found.driver} driver, trace", (found.trace_id, "bold"))
    _show_errors(found.errors, screen)
    if found.story is None:
        screen.line("It told nothing new: what it says is known already, so nothing was to be done.")
        return
    telling.show(found.story, screen)
    if not found.finished:
        screen.gap()
        late = f"Not all is done after {WAIT_SECONDS:g} s. A worker goes on with it; see later:"
        screen.line((late, "yellow"), f"tocsin trace {found.trace_id}")
