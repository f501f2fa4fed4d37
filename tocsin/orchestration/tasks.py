"""The pipeline as Celery tasks, for many machines. A task is a message that says where to look: what is to be
done stands in the database, and a message that is lost or comes twice changes nothing.

``orchestrate_event`` decides over what came in and hands the runs that follow to a chain of tasks, each of
which walks them as far as nodes of the next kind. ``sweep`` finds all that no message told of.
"""

import asyncio
import time
from collections.abc import Collection, Iterator
from functools import cache, partial
from typing import Any, Final

from celery import chain, shared_task
from django.db import DatabaseError, transaction

from tocsin.alerts.correlate.step import correlate, pending
from tocsin.checkers.rounds import Rounds
from tocsin.checkers.services import CheckSet
from tocsin.core import clock
from tocsin.db.work import Worker
from tocsin.orchestration import engine, services
from tocsin.orchestration.inline import Handle, work
from tocsin.orchestration.nodes import Walk

RUNS_AT_ONCE: Final = 200
ENTRIES_AT_ONCE: Final = 400
CHECK_SECONDS: Final = 5.0
WORK_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 30.0
# The types of nodes that each task of the chain stops short of.
SHORT_OF: Final = {
    "alerts_ingest": frozenset({"context", "check", "intelligence", "notify"}),
    "run_diagnostics": frozenset({"intelligence", "notify"}),
    "analyze_incident": frozenset({"notify"}),
    "notify_channels": frozenset[str](),
}
_task = partial(
    shared_task,
    autoretry_for=(DatabaseError,),
    max_retries=3,
    retry_backoff=1,
    retry_backoff_max=30,
    acks_late=True,
)
_first = partial(shared_task, acks_late=True)  # the sweep does again what it did not


@_first(name="orchestrate_event")
def orchestrate_event() -> int:
    """Decide over what came in; the runs that follow go to the chain. Returns how many entries."""
    entries = pending(ENTRIES_AT_ONCE)
    if not entries:
        return 0
    now = clock.now()
    with transaction.atomic():
        walks = engine.start(correlate(entries, now), now, token="")
    for run_ids in _parts(walks):
        _chain(run_ids).delay()
    if len(entries) == ENTRIES_AT_ONCE:
        orchestrate_event.delay()
    return len(entries)


def _parts(walks: list[Walk]) -> Iterator[list[str]]:
    for start in range(0, len(walks), RUNS_AT_ONCE):
        yield [walk.run_id for walk in walks[start : start + RUNS_AT_ONCE]]


def _chain(run_ids: list[str]) -> Any:
    return chain(
        task.si(run_ids) for task in (alerts_ingest, run_diagnostics, analyze_incident, notify_channels)
    )


@_task(name="alerts_ingest")
def alerts_ingest(run_ids: list[str]) -> None:
    """Take runs as far as what came in."""
    _walk(run_ids, SHORT_OF["alerts_ingest"])


@_task(name="run_diagnostics")
def run_diagnostics(run_ids: list[str]) -> None:
    """Take runs through their checks."""
    _walk(run_ids, SHORT_OF["run_diagnostics"])


@_task(name="analyze_incident")
def analyze_incident(run_ids: list[str]) -> None:
    """Take runs through what providers make of them."""
    _walk(run_ids, SHORT_OF["analyze_incident"])


@_task(name="notify_channels")
def notify_channels(run_ids: list[str]) -> None:
    """Take runs to their ends, and send what they have to tell."""
    _walk(run_ids, SHORT_OF["notify_channels"])


@_task(name="run_pipeline_task")
def run_pipeline_task(run_id: str) -> None:
    """Take one run as far as it goes."""
    _walk([run_id], ())


@_task(name="resume_pipeline_task")
def resume_pipeline_task(run_id: str) -> None:
    """Let a failed run go on after its last good node."""
    engine.resume(run_id=run_id, now=clock.now())
    run_pipeline_task.delay(run_id)


@_task(name="start_pipeline_task")
def start_pipeline_task(incident_id: int, definition: str = "") -> str:
    """Start a run about an incident; returns its id."""
    run = services.begin(incident_id=incident_id, definition=definition, now=clock.now())
    run_pipeline_task.delay(run.run_id)
    return str(run.run_id)


@_first(name="sweep")
def sweep() -> None:
    """All that is due and that no message told of: retries, what waited, what a dead worker held."""
    _carry(None)


@_first(name="watch_monitors")
def watch_monitors() -> None:
    """Look at the monitors that are due."""
    rounds = Rounds(_here().worker)
    if rounds.turn(clock.now()):
        rounds.end(clock.now(), time.monotonic() + LOOK_SECONDS)


class _Here:
    """What the tasks of one process share."""

    def __init__(self) -> None:
        self.worker = Worker()
        self._checks = CheckSet()

    def checks(self) -> CheckSet:
        """What the checks found in the last seconds."""
        if time.monotonic() - self._checks.taken_at > CHECK_SECONDS:
            self._checks.run()
        return self._checks


@cache
def _here() -> _Here:
    return _Here()


def _walk(run_ids: list[str], short_of: Collection[str]) -> None:
    """Walk runs and send what they give."""
    left = list(run_ids)

    def handle(turn: Any, outcomes: Any, back: Any) -> int:
        now, left[:] = list(left), []
        return int(turn.walk(outcomes, back, now, short_of))

    _carry(handle)


def _carry(handle: Handle | None) -> None:
    here = _here()
    todo = {} if handle is None else {"handle": handle}
    asyncio.run(work(here.worker, here.checks(), clock.now, WORK_SECONDS, **todo))
