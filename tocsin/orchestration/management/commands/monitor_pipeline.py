"""``tocsin monitor_pipeline``: how runs do; one of them in full with ``--run-id``."""

from typing import Any, Final

import msgspec
from django.core.management.base import CommandParser

from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Cell, Piece, Screen, age, styled
from tocsin.db.command import TellingCommand
from tocsin.orchestration import story
from tocsin.orchestration.management import telling
from tocsin.orchestration.models import PipelineRun, StageExecution

STATES: Final = tuple(state for state, _ in PipelineRun.STATES)
MOST: Final = 1000


class Runs(msgspec.Struct):
    """The newest runs, newest first."""

    runs: list[story.Run]


class Snapshot(msgspec.Struct):
    """What went into a stage and what came out."""

    stage: str
    type: str
    attempt: int
    input: dict[str, Any]
    output: dict[str, Any]


class InFull(msgspec.Struct):
    """One run with everything about it."""

    story: story.Story
    snapshots: list[Snapshot]


class Command(TellingCommand[Runs | InFull]):
    help = "Show pipeline runs with their stages, newest first, or one of them in full."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--limit", type=int, default=20, help=f"how many, at most {MOST}; default: 20")
        parser.add_argument(
            "--status", type=str.upper, choices=STATES, metavar="STATE", help=f"only {', '.join(STATES)}"
        )
        parser.add_argument("--run-id", metavar="ID", help="this run alone, with what went in and came out")

    def answer(self, options: dict[str, Any]) -> Runs | InFull:
        if options["run_id"]:
            return _in_full(options["run_id"])
        if not 1 <= options["limit"] <= MOST:
            raise Rejected(f"--limit {options['limit']}: give a number from 1 to {MOST}")
        return Runs(story.runs(limit=options["limit"], state=options["status"]))

    def show(self, found: Runs | InFull, screen: Screen) -> None:
        if isinstance(found, InFull):
            telling.show(found.story, screen)
            for snapshot in found.snapshots:
                _show_snapshot(snapshot, screen)
        elif found.runs:
            columns = ("age", "state", "reason", "about", "definition", "stages", "run")
            screen.table(columns, [_row(run) for run in found.runs])
        else:
            screen.line("There is no such run. tocsin run_pipeline --sample makes one.")


def _in_full(run_id: str) -> InFull:
    told = story.tell(run_id)
    if told.about != "run":
        raise Rejected(f"{run_id} is not a run but {told.about} {told.id}: see tocsin trace {run_id}")
    stages = StageExecution.objects.filter(run_id=told.id).order_by("pk")
    return InFull(told, [Snapshot(row.stage, row.type, row.attempt, row.input, row.output) for row in stages])


def _row(run: story.Run) -> list[Cell]:
    marks = "".join(str(telling.MARKS[stage.state][0]) for stage in telling.passed(run.stages))
    ids: list[list[Piece]] = [[run.run_id]]
    if run.last_error:
        ids.append([(run.last_error, "red")])
    ids += [telling.asked(run.run_id, waiting) for waiting in run.waiting if waiting.question]
    if run.due_at:
        ids.append([(telling.due(run, lambda at: f"{at:%H:%M:%S} UTC"), "yellow")])
    return [
        age(run.created_at, clock.now()),
        styled(run.state),
        run.reason,
        f"#{run.incident_id}" if run.incident_id else "",
        f"{run.definition} {run.version}" if run.definition else "",
        (marks, "red" if "✗" in marks else "green"),
        ids,
    ]


def _show_snapshot(snapshot: Snapshot, screen: Screen) -> None:
    screen.heading(f"{snapshot.stage}, try {snapshot.attempt} ({snapshot.type})")
    for name, value in (("in", snapshot.input), ("out", snapshot.output)):
        text = msgspec.json.format(msgspec.json.encode(value)).decode()
        screen.table(("", ""), [((name, "dim"), text)], indent=2)
