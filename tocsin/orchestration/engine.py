"""The engine: walks runs through the stages, many runs at a time.

Stages have no effect outside, so that a whole walk is computed first and then written at once: the
run's advance, its stages and its deliveries are one transaction, and a crash before it leaves the
run as it was, for the next worker to walk again.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from tocsin.alerts.models import AlertHistory
from tocsin.alerts.news import News
from tocsin.checkers.services import CheckSet
from tocsin.core import log
from tocsin.core.errors import Rejected, TocsinError
from tocsin.core.ids import new_id
from tocsin.core.labels import encode
from tocsin.db import bulk
from tocsin.db.work import backoff
from tocsin.notify.services import Outgoing, create_deliveries
from tocsin.orchestration.models import PipelineRun, StageExecution
from tocsin.orchestration.nodes import BaseNode, Context, Outcome, Walk, nodes
from tocsin.orchestration.recall import recall

logger = log.get(__name__)

LEASE: Final = timedelta(seconds=30)
TRIES: Final = 3
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 60.0
STAGES: Final = (
    ("INGEST", "ingest", PipelineRun.INGESTED),
    ("CHECK", "context", PipelineRun.CHECKED),
    ("ANALYZE", "intelligence", PipelineRun.ANALYZED),
    ("NOTIFY", "notify", PipelineRun.NOTIFIED),
)
_RUN_COLUMNS = (
    "run_id", "trace_id", "incident_id", "reason", "state", "stages_done", "changes", "created_at",
    "due_at", "lease", "attempts", "last_error",
)  # fmt: skip
_ADVANCED = ("state", "stages_done", "due_at", "lease", "attempts", "last_error", "finished_at")
_STAGE_COLUMNS = (
    "run_id", "stage", "state", "attempt", "input", "output", "error", "started_at", "duration_ms",
)  # fmt: skip


def start(news: Iterable[News], now: datetime, token: str) -> list[Walk]:
    """Make a run for each piece of news, leased to the caller. Call it in the transaction that
    decided over the news."""
    walks = [Walk(new_id(), item) for item in news]
    stamp, lease_end = bulk.moment(now), bulk.moment(now + LEASE)
    rows = [
        (walk.run_id, walk.news.trace_id, walk.news.incident_id, walk.news.reason, PipelineRun.PENDING, 0,
         encode([change.history_id for change in walk.news.changes]).decode(), stamp, lease_end, token, 1, "")
        for walk in walks
    ]  # fmt: skip
    bulk.insert(PipelineRun, _RUN_COLUMNS, rows)
    return walks


def start_by_person(entry: AlertHistory, now: datetime) -> None:
    """Make a run that tells of what a person did, for any worker. Call it in the action's transaction."""
    PipelineRun.objects.create(
        run_id=new_id(),
        trace_id=entry.trace_id,
        incident_id=entry.incident_id,
        reason=entry.kind,
        changes=[entry.pk],
        created_at=now,
        due_at=now,
    )


def advance(
    walks: Sequence[Walk], token: str, now: datetime, checks: CheckSet, room: Mapping[int, int]
) -> list[Outgoing]:
    """Walk runs that are leased under ``token`` as far as they go; return deliveries to send at once.

    ``room`` says how many more deliveries each channel takes now; the rest stay due. Runs whose lease
    was lost meanwhile are left alone: another worker has them.
    """
    if not walks:
        return []
    progress = {walk.run_id: _Progress(walk) for walk in walks}
    context = Context(now, checks)
    for place, (stage, node, _) in enumerate(STAGES):
        here = [p for p in progress.values() if p.walk.stages_done == place and not p.error]
        if here:
            _pass(here, stage, nodes.get(node)(), context)
    return _write(progress, token, now, room)


class _Progress:
    """What one pass brought for one run."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.stages: list[bulk.Row] = []
        self.outgoing: list[Outgoing] = []
        self.error = ""

    def succeeded(self, stage: str, outcome: Outcome, given: str, gave: str, began: Any, took: float) -> None:
        self.walk.outputs[stage] = outcome.output
        self.walk.stages_done += 1
        self.outgoing += outcome.outgoing
        self._note(stage, StageExecution.SUCCEEDED, given, gave, "", began, took)

    def failed(self, stage: str, error: str, began: Any, took: float) -> None:
        self.error = error
        self._note(stage, StageExecution.FAILED, "{}", "{}", error, began, took)

    def _note(
        self, stage: str, state: str, given: str, gave: str, error: str, began: Any, took: float
    ) -> None:
        self.stages.append(
            (self.walk.run_id, stage, state, self.walk.attempts, given, gave, error, began, round(took, 3))
        )

    def row(self, now: datetime, token: str) -> bulk.Row:
        """The run's new columns, then what it is found by."""
        walk = self.walk
        state = STAGES[walk.stages_done - 1][2] if walk.stages_done else PipelineRun.PENDING
        due: datetime | None = None
        attempts = walk.attempts
        if self.error and len(self.stages) > 1:
            attempts = 1  # it got further than before: the failing stage has its tries ahead
        if self.error and attempts < TRIES:
            state = PipelineRun.RETRYING
            due = now + backoff(attempts, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        elif self.error:
            state = PipelineRun.FAILED
        finished = bulk.moment(None if due else now)
        return (
            state,
            walk.stages_done,
            bulk.moment(due),
            "",
            attempts,
            self.error,
            finished,
            walk.run_id,
            token,
        )


def _pass(here: list[_Progress], stage: str, node: BaseNode, context: Context) -> None:
    """Take runs through one stage together; when that fails, each alone, so that one poisoned run
    does not cost the others."""
    began, clock = bulk.moment(context.now), time.perf_counter()
    try:
        outcomes = node.run([progress.walk for progress in here], context)
    except Exception as error:  # noqa: BLE001 - a node may be anybody's; its error is recorded with the run
        if len(here) > 1:
            for progress in here:
                _pass([progress], stage, node, context)
            return
        told = str(error) if isinstance(error, TocsinError) else f"{type(error).__name__}: {error}"
        logger.warning("stage.failed", stage=stage, error=told, run_id=here[0].walk.run_id,
                       trace_id=here[0].walk.news.trace_id)  # fmt: skip
        here[0].failed(stage, told[:2000], began, (time.perf_counter() - clock) * 1000)
        return
    took = (time.perf_counter() - clock) * 1000 / len(here)
    given, gave = _Encoder().text, _Encoder().text
    for progress, outcome in zip(here, outcomes, strict=True):
        progress.succeeded(stage, outcome, given(outcome.input), gave(outcome.output), began, took)


class _Encoder:
    """Snapshots that runs share are one object: the same one again is not encoded again."""

    def __init__(self) -> None:
        self._last: dict[str, Any] | None = None
        self._text = ""

    def text(self, snapshot: dict[str, Any]) -> str:
        if snapshot is not self._last:
            self._last, self._text = snapshot, encode(snapshot).decode()
        return self._text


def _write(
    progress: dict[str, _Progress], token: str, now: datetime, room: Mapping[int, int]
) -> list[Outgoing]:
    with bulk.transaction():
        held = PipelineRun.objects.held(token, list(progress))
        kept = [p for run_id, p in progress.items() if run_id in held]
        bulk.update(PipelineRun, _ADVANCED, ("run_id", "lease"), [p.row(now, token) for p in kept])
        bulk.insert(StageExecution, _STAGE_COLUMNS, [stage for p in kept for stage in p.stages])
        return create_deliveries([item for p in kept for item in p.outgoing], now, token, room)


def claim(token: str, now: datetime, limit: int) -> list[Walk]:
    """Take runs that are due: retries, resumed ones, and those whose worker died."""
    if not PipelineRun.objects.filter(due_at__lte=now).exists():
        return []
    keys = PipelineRun.objects.claim(token, now, LEASE, limit)
    runs = list(PipelineRun.objects.filter(pk__in=keys).prefetch_related("stages").order_by("run_id"))
    news = recall(runs)
    return [
        Walk(run.run_id, news[run.run_id], run.stages_done, run.attempts, _outputs(run))
        for run in runs
        if run.run_id in news
    ]


def _outputs(run: PipelineRun) -> dict[str, Any]:
    """What the stages that succeeded gave."""
    return {s.stage: s.output for s in run.stages.all() if s.state == StageExecution.SUCCEEDED}


def resume(*, run_id: str, now: datetime) -> None:
    """Let a failed run go on after its last good stage. Raises Rejected where it has not failed."""
    resumed = PipelineRun.objects.filter(run_id=run_id, state=PipelineRun.FAILED).update(
        state=PipelineRun.RETRYING, due_at=now, lease="", attempts=0, finished_at=None
    )
    if not resumed:
        raise Rejected(f"run {run_id} has not failed, or does not exist")
