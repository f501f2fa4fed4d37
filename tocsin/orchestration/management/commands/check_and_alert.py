"""``tocsin check_and_alert``: what the checkers find becomes alerts, and what is well again ends them."""

import socket
from typing import Any, Final

import msgspec
from django.core.management.base import CommandParser

from tocsin.alerts.intake.journal import Post
from tocsin.checkers import alerting, services
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.management.telling import Checked, checked
from tocsin.checkers.management.telling import show as show_checked
from tocsin.checkers.running import Runner, build
from tocsin.checkers.services import CheckSet
from tocsin.core import clock, config
from tocsin.core.ids import new_id
from tocsin.core.terminal import Screen, styled
from tocsin.db.command import TellingCommand
from tocsin.orchestration import inline, story
from tocsin.orchestration.management import telling
from tocsin.orchestration.preview import PreviewedAlert, PreviewedRun, preview

WAIT_SECONDS: Final = 30.0


class Foreseen(msgspec.Struct):
    """What was found, and what would come of it; nothing was stored."""

    checked: Checked
    alerts: list[PreviewedAlert]
    runs: list[PreviewedRun]
    dry_run: bool = True


class Taken(msgspec.Struct):
    """What was found, and what came of it; ``story`` is empty where it told nothing new."""

    checked: Checked
    trace_id: str
    alerts: int
    changes: int
    incidents: bool
    finished: bool
    story: story.Story | None


class Command(TellingCommand[Foreseen | Taken]):
    help = "Run the checkers of this machine, and take what they find in as alerts."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "checkers", nargs="*", metavar="CHECKER", help="which; default: all that need no options"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be; store and send nothing"
        )
        parser.add_argument(
            "--no-incidents", action="store_true", help="store alerts and results, but open no incident"
        )
        parser.add_argument(
            "--include-skipped", action="store_true", help="run also those that CHECKERS_SKIP leaves out"
        )

    def answer(self, options: dict[str, Any]) -> Foreseen | Taken:
        asked = options["checkers"] or services.everywhere()
        wanted = asked if options["include_skipped"] else services.enabled(asked)
        results = Runner({name: build(name, trusted=True) for name in wanted}).run()
        found = checked(results, (name for name in asked if name not in wanted))
        post = _post(results)
        if options["dry_run"]:
            told = preview(post, _context(), post.received_at)
            return Foreseen(found, told.alerts, told.runs)
        return _taken(found, post, incidents=not options["no_incidents"])

    def show(self, found: Foreseen | Taken, screen: Screen) -> None:
        show_checked(found.checked, screen)
        if isinstance(found, Foreseen):
            _show_foreseen(found, screen)
        else:
            _show_taken(found, screen)


def _post(results: list[CheckResult]) -> Post:
    now, instance, hostname = clock.now(), config.instance_id(), socket.gethostname()
    events = [alerting.event(each, instance=instance, hostname=hostname, now=now) for each in results]
    return Post(services.worth_taking(events), alerting.SOURCE, new_id(), now)


def _context() -> CheckSet:
    """What the CHECK stage of a run reads."""
    checks = CheckSet()
    checks.run()
    return checks


def _taken(found: Checked, post: Post, *, incidents: bool) -> Taken:
    services.record(found.checks, post.trace_id, post.received_at)
    changes = services.take_in(post, incidents=incidents)
    finished, told = True, None
    if changes:
        finished = not incidents or inline.carry(post.trace_id, _context(), WAIT_SECONDS)
        told = story.tell(post.trace_id)
    return Taken(found, post.trace_id, len(post.events), changes, incidents, finished, told)


def _show_foreseen(found: Foreseen, screen: Screen) -> None:
    screen.gap()
    screen.line(("Dry run", "bold"), "Nothing is stored or sent; incident numbers are provisional.")
    for alert in found.alerts:
        screen.line(
            (alert.name, "bold"), styled(alert.status), styled(alert.severity), alert.decision, indent=2
        )
    for run in found.runs:
        which = "a new incident" if run.new_incident else "the incident"
        screen.line(f"A run would start for {which}: {run.title}; it would tell", indent=2)
        screen.line(", ".join(run.channels) or "nobody, as there is no channel", indent=4)
    if not found.alerts:
        screen.line("No alert would fire or end.", indent=2)


def _show_taken(found: Taken, screen: Screen) -> None:
    screen.gap()
    if found.story is None:
        screen.line("Nothing new: no alert began, changed or ended.")
        return
    count = f"{found.changes} change{'' if found.changes == 1 else 's'}"
    screen.line(f"Taken in: {count}, trace", (found.trace_id, "bold"))
    telling.show(found.story, screen)
    if not found.finished:
        late = f"Not all is done after {WAIT_SECONDS:g} s. A worker goes on with it; see later:"
        screen.line((late, "yellow"), f"tocsin trace {found.trace_id}")
