"""What commands that begin a run have in common: it is carried to its end here, and told."""

from collections.abc import Iterable
from typing import Final

import msgspec

from tocsin.alerts.events import Problem
from tocsin.checkers.services import CheckSet
from tocsin.core.terminal import Screen, moment, styled
from tocsin.orchestration import inline, story
from tocsin.orchestration.management import telling
from tocsin.orchestration.preview import PreviewedAlert, PreviewedRun, PreviewedStage
from tocsin.orchestration.starting import Begun, Rehearsed

WAIT_SECONDS: Final = 30.0


class Carried(msgspec.Struct):
    """What was taken in and what came of it; ``story`` is empty where it told nothing new, and ``finished``
    says whether nothing of it is left to be done."""

    trace_id: str
    driver: str
    alerts: int
    changes: int
    errors: list[Problem]
    finished: bool
    story: story.Story | None


def carry(begun: Begun, checks: CheckSet) -> Carried:
    """Carry what was begun as far as it goes."""
    finished, told = True, None
    if begun.changes or begun.runs:
        finished = inline.carry(begun.trace_id, checks, WAIT_SECONDS)
        told = story.tell(begun.trace_id)
        finished = finished and not any(run.due_at for run in told.runs)
    return Carried(begun.trace_id, begun.driver, begun.alerts, begun.changes, begun.errors, finished, told)


def show_carried(found: Carried, screen: Screen) -> None:
    """The whole story, and what is left to be done."""
    if found.driver:
        count = f"{found.alerts} alert{'' if found.alerts == 1 else 's'}"
        screen.line(f"Taken in {count} by the {found.driver} driver, trace", (found.trace_id, "bold"))
    _show_errors(found.errors, screen)
    if found.story is None:
        screen.line("It told nothing new: what it says is known already, so nothing was to be done.")
        return
    telling.show(found.story, screen)
    if not found.finished:
        screen.gap()
        waits = any(run.waiting for run in found.story.runs)
        late = "It waits" if waits else f"Not all is done after {WAIT_SECONDS:g} s"
        see_later = f"{late}. A worker goes on with it; see later:"
        screen.line((see_later, "yellow"), f"tocsin trace {found.trace_id}")


def show_rehearsed(found: Rehearsed, screen: Screen) -> None:
    """What every node would do."""
    screen.line(("Dry run", "bold"), "Nothing is stored or sent; incident numbers are provisional.")
    if found.driver:
        screen.heading(f"Read by the {found.driver} driver")
    for alert in found.alerts:
        _show_alert(alert, screen)
    _show_errors(found.errors, screen)
    for run in found.runs:
        _show_run(run, screen)
    if not found.runs:
        screen.heading("No run would start, and nobody would be told.")


def _show_errors(errors: Iterable[Problem], screen: Screen) -> None:
    for problem in errors:
        screen.line(("✗", "red"), f"alerts[{problem.index}] cannot be read: {problem.message}")


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
    width = max((len(stage.stage) for stage in run.stages), default=0)
    for stage in run.stages:
        mark = ("✗", "bold red") if stage.error else ("✓", "green")
        screen.line(mark, f"{stage.stage:<{width}}", (stage.error, "red"), _would(stage), indent=2)
        for found in stage.output.get("recommendations", []):
            screen.line(("→", "dim"), found["advice"], indent=width + 5)
    told = ", ".join(run.channels)
    screen.line(f"Would tell {told}." if told else "Would tell nobody.", indent=2)


def _would(stage: PreviewedStage) -> str:
    given = stage.input
    if stage.type == "http" and "url" in given:
        return f"would ask {given['method']} {given['url']}"
    if stage.type == "check" and "checker" in given:
        return f"would check {given['checker']}"
    return story.note(stage.type, stage.output)
