"""The engine: walks runs from node to node, many runs at a time.

Nodes have no effect outside, so that a whole walk is computed first and then written at once: the
run's advance, its stages, its deliveries and the commands it asks for are one transaction, and a crash
before it leaves the run as it was, for the next worker to walk again. Slow nodes are errands: the run stays
leased while they are about, and walks on with what they bring.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db.models import Exists, F, OuterRef

from tocsin.alerts.models import AlertHistory
from tocsin.alerts.news import News
from tocsin.checkers.services import CheckSet
from tocsin.core import log
from tocsin.core.errors import Rejected, TocsinError
from tocsin.core.ids import new_id
from tocsin.core.labels import encode
from tocsin.db import bulk
from tocsin.db.work import LEFT_TO_OTHERS
from tocsin.fleet import commands
from tocsin.notify.services import Outgoing, create_deliveries
from tocsin.orchestration.definitions import Choice, graph_of_version
from tocsin.orchestration.graph import Graph, Step
from tocsin.orchestration.models import PipelineRun, StageExecution
from tocsin.orchestration.nodes import Context, Done, SlowNode, Walk
from tocsin.orchestration.progress import HANDOVER, LEASE, LONGEST_ERROR, Progress
from tocsin.orchestration.recall import recall

logger = log.get(__name__)

_RUN_COLUMNS = (
    "run_id", "trace_id", "incident_id", "version_id", "reason", "state", "changes", "created_at",
    "due_at", "lease", "attempts", "last_error",
)  # fmt: skip
_ADVANCED = ("state", "due_at", "lease", "attempts", "last_error", "finished_at")
_STAGE_COLUMNS = (
    "run_id", "stage", "type", "exit", "state", "attempt", "input", "output", "error", "started_at",
    "duration_ms",
)  # fmt: skip
# The versions of definitions that this process has found it cannot walk.
_beyond_us: set[int | None] = set()


class Errand(msgspec.Struct):
    """Slow nodes of one run, to be asked side by side; with what they bring the run walks on."""

    walk: Walk
    steps: list[Step]


class Advanced(msgspec.Struct):
    """What came of a pass: deliveries to send at once, errands to run, and the channels that are told
    something."""

    outgoing: list[Outgoing] = []
    errands: list[Errand] = []
    told: set[int] = set()


def start(news: Iterable[News], now: datetime, token: str) -> list[Walk]:
    """Make a run for each piece of news, leased to the caller; without a token, for whoever takes it. One of
    whose incident an earlier run is under way waits for that, and its walk has no token. Call it in the
    transaction that decided over the news."""
    news = list(news)
    if not news:
        return []
    choice, busy = Choice.load(), _under_way(item.incident_id for item in news)
    walks, rows = [], []
    stamp, due = bulk.moment(now), bulk.moment(now + (LEASE if token else HANDOVER))
    for item in news:
        version, graph = choice.of(item)
        waits = item.incident_id in busy
        walk = Walk(new_id(), item, graph, "" if waits else token)
        changes = encode([change.history_id for change in item.changes]).decode()
        rows.append(
            (walk.run_id, item.trace_id, item.incident_id, version, item.reason, PipelineRun.PENDING, changes,
             stamp, stamp if waits else due, walk.token, 1 if walk.token else 0, "")
        )  # fmt: skip
        walks.append(walk)
    bulk.insert(PipelineRun, _RUN_COLUMNS, rows)
    return walks


def _under_way(incident_ids: Iterable[int]) -> set[int]:
    """The incidents that a run is about in this moment: people are to hear of one in order."""
    where, params = bulk.among("incident_id", incident_ids)
    states = ", ".join(f"'{state}'" for state in PipelineRun.UNDER_WAY)
    sql = f"SELECT DISTINCT incident_id FROM orchestration_pipelinerun WHERE {where}"  # noqa: S608
    return {row[0] for row in bulk.fetch(f"{sql} AND due_at IS NOT NULL AND state IN ({states})", params)}


def start_by_person(entry: AlertHistory, now: datetime) -> None:
    """Make a run that tells of what a person did, for any worker. Call it in the action's transaction."""
    begin(
        PipelineRun(
            run_id=new_id(),
            trace_id=entry.trace_id,
            incident_id=entry.incident_id,
            reason=entry.kind,
            changes=[entry.pk],
            created_at=now,
            due_at=now,
        ),
        Choice.load(),
    )


def begin(run: PipelineRun, choice: Choice) -> None:
    """Save a new run, to walk the definition that is chosen by what it tells of."""
    news = recall([run])
    run.version_id = choice.of(news[run.run_id])[0] if run.run_id in news else None
    run.save(force_insert=True)


def advance(
    walks: Sequence[Walk],
    token: str,
    now: datetime,
    checks: CheckSet,
    room: Mapping[int, int],
    short_of: Collection[str] = (),
) -> Advanced:
    """Walk runs, each leased under its token, as far as they go, or as far as nodes of types they are to stop
    ``short_of``: these are left to whoever takes the run next. Walks without a token are left alone.

    ``room`` says how many more deliveries each channel takes now; the rest stay due. Those that are to be
    sent are leased under ``token``. Runs whose lease was lost meanwhile are left alone: another worker has
    them.
    """
    progress = [Progress(walk, short_of) for walk in walks if walk.token]
    if not progress:
        return Advanced()
    context = Context(now, checks)
    while groups := _groups(progress):
        for (_, name), here in groups.items():
            _pass(here, here[0].walk.graph.steps[name], context)
    return _write(progress, token, now, room)


def _groups(progress: Iterable[Progress]) -> dict[tuple[int, str], list[Progress]]:
    """Runs by the node whose turn it is."""
    groups: dict[tuple[int, str], list[Progress]] = {}
    for one in progress:
        for name in one.ready():
            groups.setdefault((id(one.walk.graph), name), []).append(one)
    return groups


def _pass(here: list[Progress], step: Step, context: Context) -> None:
    """Take runs through one node together; when that fails, each alone, so that one poisoned run
    does not cost the others."""
    if isinstance(step.node, SlowNode):
        for one in here:
            _fetch(one, step, context)
        return
    began, clock = bulk.moment(context.now), time.perf_counter()
    try:
        outcomes = step.node.run([one.walk for one in here], context, step.spec.id)
    except Exception as error:  # noqa: BLE001 - a node may be anybody's; its error is recorded with the run
        if len(here) > 1:
            for one in here:
                _pass([one], step, context)
            return
        told = str(error) if isinstance(error, TocsinError) else f"{type(error).__name__}: {error}"
        here[0].failed(step, told, context.now, began, (time.perf_counter() - clock) * 1000)
        return
    took = (time.perf_counter() - clock) * 1000 / len(here)
    given, gave = _Encoder().text, _Encoder().text
    for one, outcome in zip(here, outcomes, strict=True):
        one.left(step, outcome, given(outcome.input), gave(outcome.output), began, took)


def _fetch(one: Progress, step: Step, context: Context) -> None:
    """A slow node: what it brought is taken in; one that was not asked yet becomes an errand."""
    brought = one.walk.brought.pop(step.spec.id, None)
    if brought is None:
        one.send_for(step)
        return
    began = bulk.moment(brought.began)
    if brought.outcome is None:
        one.failed(step, brought.error, context.now, began, brought.took_ms, permanent=brought.permanent)
        return
    given, gave = encode(brought.outcome.input).decode(), encode(brought.outcome.output).decode()
    one.left(step, brought.outcome, given, gave, began, brought.took_ms)


class _Encoder:
    """Snapshots that runs share are one object: the same one again is not encoded again."""

    def __init__(self) -> None:
        self._last: dict[str, Any] | None = None
        self._text = ""

    def text(self, snapshot: dict[str, Any]) -> str:
        if snapshot is not self._last:
            self._last, self._text = snapshot, encode(snapshot).decode()
        return self._text


def _write(progress: list[Progress], token: str, now: datetime, room: Mapping[int, int]) -> Advanced:
    with bulk.transaction():
        kept = _held(progress)
        bulk.update(PipelineRun, _ADVANCED, ("run_id", "lease"), [one.row(now) for one in kept])
        bulk.insert(StageExecution, _STAGE_COLUMNS, [stage for one in kept for stage in one.stages])
        made = [item for one in kept for item in one.outgoing]
        outgoing = create_deliveries(made, now, token, room)
        commands.ask([order for one in kept for order in one.orders], now)
    errands = [Errand(one.walk, one.errand) for one in kept if one.goes_out]
    return Advanced(outgoing, errands, {item.channel_id for item in made})


def _held(progress: list[Progress]) -> list[Progress]:
    """Those whose lease was not lost."""
    by_token: dict[str, list[Progress]] = {}
    for one in progress:
        by_token.setdefault(one.walk.token, []).append(one)
    kept = []
    for token, those in by_token.items():
        held = PipelineRun.objects.held(token, [one.walk.run_id for one in those])
        kept += [one for one in those if one.walk.run_id in held]
    return kept


def claim(token: str, now: datetime, limit: int) -> list[Walk]:
    """Take runs that are due: retries, resumed ones, those that waited, and those whose worker died."""
    if not PipelineRun.objects.filter(due_at__lte=now).exists():
        return []
    return _walks(_takeable(now).claim(token, now, LEASE, limit), token, now)


def take(run_ids: Iterable[str], token: str, now: datetime) -> list[Walk]:
    """Take these runs, but for those that are over or that somebody walks."""
    return _walks(_takeable(now).take(token, now, LEASE, run_ids), token, now)


def _takeable(now: datetime) -> Any:
    """Runs that no earlier run of the same incident goes before, and that this process can walk, or else
    nobody has for long."""
    earlier = PipelineRun.objects.filter(
        incident=OuterRef("incident"),
        state__in=PipelineRun.UNDER_WAY,
        due_at__isnull=False,
        run_id__lt=OuterRef("run_id"),
    )
    runs = PipelineRun.objects.exclude(Exists(earlier))
    if not _beyond_us:
        return runs
    return runs.exclude(version__in=_beyond_us, due_at__gt=now - LEFT_TO_OTHERS)


def _walks(keys: list[str], token: str, now: datetime) -> list[Walk]:
    runs = list(PipelineRun.objects.filter(pk__in=keys).prefetch_related("stages").order_by("run_id"))
    news, walks, known = recall(runs), [], frozenset(_beyond_us)
    for run in runs:
        if run.run_id not in news:
            continue
        graph = None
        try:
            graph = graph_of_version(run.version_id)
            walks.append(_taken_up(run, news[run.run_id], graph, token))
        except Exception as error:  # noqa: BLE001 - a node may be anybody's, and may not even be imported
            let_go = _leave if graph is None and run.version_id not in known else _give_up
            let_go(run, token, str(error), now)
    return walks


def _leave(run: PipelineRun, token: str, error: str, now: datetime) -> None:
    """A run that this process cannot walk: one of a newer version may, or one that has the plug-in. It counts
    as no try."""
    _beyond_us.add(run.version_id)
    logger.warning("run.left_to_others", run_id=run.run_id, trace_id=run.trace_id, error=error)
    told = f"left to other workers for up to {LEFT_TO_OTHERS}: {error}"
    PipelineRun.objects.filter(pk=run.pk, lease=token).update(
        due_at=now, lease="", attempts=F("attempts") - 1, last_error=told[:LONGEST_ERROR]
    )


def _give_up(run: PipelineRun, token: str, error: str, now: datetime) -> None:
    """A run that nobody could walk in all that time, as when a plug-in was taken away."""
    logger.error("run.cannot_go_on", run_id=run.run_id, trace_id=run.trace_id, error=error)
    PipelineRun.objects.filter(pk=run.pk, lease=token).update(
        state=PipelineRun.FAILED, due_at=None, lease="", last_error=error[:LONGEST_ERROR], finished_at=now
    )


def _taken_up(run: PipelineRun, news: News, graph: Graph, token: str) -> Walk:
    """A run as it stands, by its stages: the last word on each node counts."""
    walk = Walk(run.run_id, news, graph, token, run.attempts)
    for stage in sorted(run.stages.all(), key=lambda stage: stage.pk):
        walk.waiting.pop(stage.stage, None)
        if stage.exit:
            walk.leave(stage.stage, Done(stage.type, stage.exit, stage.output))
        elif stage.state == StageExecution.WAITING:
            walk.waiting[stage.stage] = stage.output
    return walk


def resume(*, run_id: str, now: datetime) -> None:
    """Let a failed run go on after its last good stage. Raises Rejected where it has not failed."""
    resumed = PipelineRun.objects.filter(run_id=run_id, state=PipelineRun.FAILED).update(
        state=PipelineRun.RETRYING, due_at=now, lease="", attempts=0, finished_at=None
    )
    if not resumed:
        raise Rejected(f"run {run_id} has not failed, or does not exist")
