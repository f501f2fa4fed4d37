"""What one pass brought for one run, and what its row says afterwards."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from tocsin.core import log
from tocsin.core.labels import encode
from tocsin.db import bulk
from tocsin.db.work import backoff
from tocsin.fleet.commands import Order
from tocsin.notify.services import Outgoing
from tocsin.orchestration.definition import FAIL, FAILED
from tocsin.orchestration.graph import Step
from tocsin.orchestration.models import PipelineRun, StageExecution
from tocsin.orchestration.nodes import Done, Outcome, Walk

logger = log.get(__name__)

LEASE: Final = timedelta(seconds=30)
ERRAND_MARGIN: Final = timedelta(seconds=30)  # between an errand's last moment and the end of its lease
HANDOVER: Final = timedelta(seconds=10)  # after which a run that nobody took is anybody's
LONGEST_ERROR: Final = 2_000
# What a run is called once nodes of these types were left; the furthest counts.
_STATES: Final = {
    "ingest": PipelineRun.INGESTED,
    "context": PipelineRun.CHECKED,
    "check": PipelineRun.CHECKED,
    "intelligence": PipelineRun.ANALYZED,
    "notify": PipelineRun.NOTIFIED,
}
_FURTHEST: Final = [*dict.fromkeys(_STATES.values())]


class Progress:
    """A walk, as far as it came; ``short_of`` are the types of nodes that are not to be taken."""

    def __init__(self, walk: Walk, short_of: Collection[str] = ()) -> None:
        self.walk = walk
        self._short_of = short_of
        self.stages: list[bulk.Row] = []
        self.outgoing: list[Outgoing] = []
        self.orders: list[Order] = []
        self.errand: list[Step] = []
        self._held_up: set[str] = set()  # nodes whose turn it is and who cannot be left in this pass
        self._error = ""  # of a node that is tried again, or that fails the run
        self._failed = False
        self._retry_at: datetime | None = None
        self._wake_at: datetime | None = None
        self._advanced = False

    def ready(self) -> Iterable[str]:
        """The nodes to be taken now. A run that has failed begins nothing more."""
        if self._failed:
            return ()
        ready = self._next()
        if not self._held_up and not self._short_of:
            return ready
        return [name for name in ready if name not in self._held_up and not self._is_beyond(name)]

    def _next(self) -> Sequence[str]:
        return self.walk.graph.ready({name: done.exit for name, done in self.walk.done.items()})

    def _is_beyond(self, name: str) -> bool:
        return self.walk.graph.steps[name].spec.type in self._short_of

    @property
    def _handed_over(self) -> bool:
        """Whether it stops short of a node that is next."""
        return bool(self._short_of) and any(self._is_beyond(name) for name in self._next())

    @property
    def goes_out(self) -> bool:
        """Whether slow nodes are to be asked now; where another node is to be tried again, they wait for
        that."""
        return bool(self.errand) and not self._error

    def left(self, step: Step, outcome: Outcome, given: str, gave: str, began: Any, took: float) -> None:
        """A node gave its outcome, or waits."""
        name = step.spec.id
        self.orders += outcome.orders
        if outcome.wake_at is not None:
            self._wait(step, outcome, given, gave, began, took)
            return
        self.walk.leave(name, Done(step.spec.type, outcome.exit, outcome.output))
        self.outgoing += outcome.outgoing
        self._advanced = True
        self._note(step, StageExecution.SUCCEEDED, outcome.exit, given, gave, "", began, took)

    def failed(
        self, step: Step, error: str, now: datetime, began: Any, took: float, permanent: bool = False
    ) -> None:
        """A node raised: it is tried again, or the run goes on or fails as the node says."""
        spec, error = step.spec, error[:LONGEST_ERROR]
        logger.warning("stage.failed", stage=spec.id, error=error, run_id=self.walk.run_id,
                       trace_id=self.walk.news.trace_id)  # fmt: skip
        attempt = self._attempt
        self._held_up.add(spec.id)
        exit = ""
        if not permanent and attempt < spec.retry.tries:
            pause = backoff(attempt, spec.retry.first_seconds, spec.retry.longest_seconds)
            self._retry_at = min(filter(None, (self._retry_at, now + pause)))
            self._error = self._error if self._failed else error
        elif spec.on_failure == FAIL:
            self._error, self._failed = error, True
        else:
            exit = FAILED
            self.walk.leave(spec.id, Done(spec.type, FAILED, {"error": error}))
        told = encode({"error": error}).decode() if exit else "{}"
        self._note(step, StageExecution.FAILED, exit, "{}", told, error, began, took)

    def send_for(self, step: Step) -> None:
        """A slow node is to be asked."""
        self.errand.append(step)
        self._held_up.add(step.spec.id)

    def row(self, now: datetime) -> bulk.Row:
        """The run's new columns, then what it is found by."""
        walk, attempts = self.walk, self._attempt
        state, due, lease, error = self._reached(), None, "", self._error
        if self._failed:
            state = PipelineRun.FAILED
        elif self._error:
            state, due = PipelineRun.RETRYING, self._retry_at
        elif self.errand:
            longest = max(step.spec.timeout for step in self.errand)
            due, lease = now + timedelta(seconds=longest) + ERRAND_MARGIN, walk.token
        elif self._handed_over:
            due, attempts = now + HANDOVER, 0
        elif self._wake_at is not None:
            state, due, attempts = PipelineRun.WAITING, self._wake_at, 0
        finished = bulk.moment(None if due else now)
        return (state, bulk.moment(due), lease, attempts, error, finished, walk.run_id, walk.token)

    @property
    def _attempt(self) -> int:
        """Which try this is; a run that got further than before has its tries ahead."""
        return 1 if self._advanced else self.walk.attempts

    def _wait(self, step: Step, outcome: Outcome, given: str, gave: str, began: Any, took: float) -> None:
        name = step.spec.id
        self._held_up.add(name)
        assert outcome.wake_at is not None
        self._wake_at = min(filter(None, (self._wake_at, outcome.wake_at)))
        if self.walk.waiting.get(name) != outcome.output:  # it is told once
            self.walk.waiting[name] = outcome.output
            self.outgoing += outcome.outgoing
            self._note(step, StageExecution.WAITING, "", given, gave, "", began, took)

    def _reached(self) -> str:
        types = {done.type for done in self.walk.done.values() if done.exit != FAILED}
        states = [_FURTHEST.index(_STATES[kind]) for kind in types if kind in _STATES]
        reached = _FURTHEST[max(states)] if states else PipelineRun.PENDING
        under_way = self.errand or self._error or self._wake_at or self._handed_over
        if under_way or reached == PipelineRun.NOTIFIED:
            return reached
        return PipelineRun.COMPLETED

    def _note(
        self, step: Step, state: str, exit: str, given: str, gave: str, error: str, began: Any, took: float
    ) -> None:
        spec, walk = step.spec, self.walk
        self.stages.append(
            (walk.run_id, spec.id, spec.type, exit, state, walk.attempts, given, gave, error, began,
             round(took, 3))
        )  # fmt: skip
