"""How commands tell a story to people: what it is about, then everything in the order it happened."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Final

from tocsin.core import clock
from tocsin.core.terminal import Piece, Screen, age, moment, styled, took
from tocsin.orchestration import story
from tocsin.orchestration.definition import STAGES

PEOPLE: Final = ("people", "cyan")

# When it happened, what kind of thing, and what there is to say of it, line by line.
Line = tuple[datetime, Piece, list[list[Piece]]]


def show(told: story.Story, screen: Screen) -> None:
    """The whole story."""
    for incident in told.incidents:
        show_incident(incident, screen)
    screen.heading("What happened, in UTC")
    for day, lines in groupby(sorted(_lines(told), key=itemgetter(0)), lambda line: line[0].date()):
        screen.line((day.isoformat(), "dim"), indent=2)
        screen.table(("", "", ""), [((_clock(at), "dim"), kind, what) for at, kind, what in lines], indent=2)
    if told.cut:
        screen.gap()
        screen.line((f"There are more {', '.join(told.cut)}; these are the newest {story.LIMIT}.", "yellow"))


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"


def show_incident(incident: story.Incident, screen: Screen) -> None:
    """An incident as it stands."""
    screen.gap()
    screen.line((f"Incident #{incident.id}", "bold"), (incident.title, "bold"))
    now = clock.now()
    opened = f"{moment(incident.opened_at)} UTC, {age(incident.opened_at, now)} ago"
    taken = (
        f"{incident.acknowledged_by}, {moment(incident.acknowledged_at)}" if incident.acknowledged_at else ""
    )
    facts: list[tuple[str, Piece]] = [
        ("status", styled(incident.status)),
        ("severity", styled(incident.severity)),
        ("firing", f"{incident.firing} now, fired {_times(incident.total)}"),
        ("labels", ", ".join(f'{name}="{value}"' for name, value in incident.labels.items())),
        ("opened", opened),
        ("acknowledged", taken),
        ("resolved", moment(incident.resolved_at) if incident.resolved_at else ""),
        ("closed", moment(incident.closed_at) if incident.closed_at else ""),
        ("trace", incident.trace_id),
    ]
    screen.facts(facts, indent=2)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _lines(told: story.Story) -> Iterator[Line]:
    for at, what in told.moments():
        yield at, *_line(what)
    if told.about != "incident":  # there the journal tells of it
        yield from _acknowledged(told)


def _line(what: story.Entry | story.Run | story.Delivery) -> tuple[Piece, list[list[Piece]]]:
    if isinstance(what, story.Entry):
        return _entry(what)
    return _run(what) if isinstance(what, story.Run) else _delivery(what)


def _acknowledged(told: story.Story) -> Iterator[Line]:
    for incident in told.incidents:
        if incident.acknowledged_at is not None:
            what = f"{incident.acknowledged_by} acknowledged incident #{incident.id}"
            yield incident.acknowledged_at, PEOPLE, [[what]]


def _entry(entry: story.Entry) -> tuple[Piece, list[list[Piece]]]:
    if entry.is_action:
        return PEOPLE, [[entry.reason]]
    late = abs((entry.received_at - entry.at).total_seconds()) >= 1
    decision = entry.reason or entry.decision or "not decided yet: it waits for a worker"
    ids = f"alert {entry.fingerprint}  trace {entry.trace_id}"
    what: list[list[Piece]] = [
        [
            (entry.name or entry.fingerprint, "bold"),
            f"{entry.kind},",
            styled(entry.severity),
            f"from {entry.source}" + (f", {entry.actor}" if entry.actor else ""),
        ],
        [(ids, "dim")],
        [(f"happened at {moment(entry.at)} by its source's clock" if late else "", "dim")],
        [("→", "dim"), (decision, "" if entry.decision else "yellow")],
    ]
    return ("alert", "magenta"), _filled(what)


def _run(run: story.Run) -> tuple[Piece, list[list[Piece]]]:
    took_ms = sum(stage.duration_ms for stage in run.stages)
    width = max((len(stage.stage) for stage in run.stages), default=0)
    what: list[list[Piece]] = [
        [f"{run.reason}:", styled(run.state), f"in {took(took_ms)}" if run.stages else ""],
        [(f"run {run.run_id}" + (f"  {walked(run)}" if run.definition else ""), "dim")],
        *(stage_line(stage, width) for stage in passed(run.stages)),
        *(asked(run.run_id, waiting) for waiting in run.waiting),
        [(due(run, moment), "yellow")],
    ]
    return ("run", "blue"), _filled(what)


MARKS: Final[dict[str, Piece]] = {
    "succeeded": ("✓", "green"),
    "waiting": ("…", "yellow"),
    "failed": ("✗", "bold red"),
}


def passed(stages: Sequence[story.Stage]) -> list[story.Stage]:
    """Stages without the pauses that are over."""
    last = {stage.stage: stage for stage in stages}
    return [stage for stage in stages if stage.state != "waiting" or last[stage.stage] is stage]


def due(run: story.Run, clock: Callable[[datetime], str]) -> str:
    """When a run goes on by itself."""
    if run.due_at is None:
        return ""
    return f"{'waits until' if run.waiting else 'goes on at'} {clock(run.due_at)}"


def walked(run: story.Run) -> str:
    """The definition a run walks, and its version."""
    return f"{run.definition}, version {run.version}" if run.definition else ""


def stage_line(stage: story.Stage, width: int = 0) -> list[Piece]:
    """One stage in one line; its type where its id does not tell it."""
    mark: Piece = MARKS[stage.state]
    tries = f"try {stage.attempt}" if stage.attempt > 1 else ""
    named = stage.type in ("", stage.stage.lower()) or stage.stage in _STAGES
    return [
        mark,
        f"{stage.stage:<{width}}",
        f"{took(stage.duration_ms):>7}",
        ("" if named else f"({stage.type})", "dim"),
        tries,
        (stage.error, "red"),
        stage.note,
        ("and the run goes on" if stage.state == "failed" and stage.exit else "", "dim"),
    ]


_STAGES: Final = frozenset(node["id"] for node in STAGES["nodes"])


def asked(run_id: str, waiting: story.Waiting) -> list[Piece]:
    """What a run waits for, and how it is answered."""
    if waiting.type != "approval":
        return []
    how = f"tocsin approve {run_id} {waiting.node} --yes, or --no"
    return [("?", "bold yellow"), (waiting.question, "yellow"), ("→", "dim"), how]


def _delivery(sent: story.Delivery) -> tuple[Piece, list[list[Piece]]]:
    tries = f"at try {sent.attempts}" if sent.attempts > 1 else ""
    latency = f"in {took(sent.latency_ms)}" if sent.latency_ms is not None else ""
    next_try = f"next try at {moment(sent.due_at)}" if sent.state == "retrying" and sent.due_at else ""
    what: list[list[Piece]] = [
        [f"{sent.kind} to {sent.channel} ({sent.driver}):", styled(sent.state), latency, tries],
        [(f"delivery {sent.id}", "dim")],
        [f"→ the receiver said: {sent.answer}" if sent.answer else ""],
        [(f"→ {sent.last_error}" if sent.last_error else "", "red")],
        [(next_try, "yellow")],
    ]
    return ("message", "green"), _filled(what)


def _filled(lines: list[list[Piece]]) -> list[list[Piece]]:
    return [line for line in lines if any(piece and piece[0] for piece in line)]
