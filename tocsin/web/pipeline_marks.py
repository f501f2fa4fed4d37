"""What stands in and below the boxes of a graph: how runs left them lately, or how one run stands."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from tocsin.core.errors import TocsinError
from tocsin.core.terminal import took
from tocsin.orchestration import story
from tocsin.orchestration.definition import FAILED, NEXT, OTHERWISE
from tocsin.orchestration.definitions import graph_of_version
from tocsin.orchestration.history import NodeHistory
from tocsin.orchestration.models import PipelineRun, StageExecution
from tocsin.orchestration.preview import PreviewedStage
from tocsin.orchestration.trial import Trial
from tocsin.web.pipeline_graph import Mark, Node

DONE, FAILURE, WAITING, SKIPPED, NOT_YET = "done", "failed", "waiting", "skipped", "not yet"
# What a node is called that ended a run's last try so.
_STATES: Final = {
    StageExecution.SUCCEEDED: DONE,
    StageExecution.FAILED: FAILURE,
    StageExecution.WAITING: WAITING,
}


class Taken(msgspec.Struct):
    """A node in one run: how it stands, its tries, and what it asks now."""

    node: Node
    state: str
    tries: list[story.Stage]
    question: str = ""

    @property
    def mark(self) -> Mark:
        """It in the graph. Only of what was left or waits there is more to say than its state."""
        last = self.tries[-1] if self.tries else None
        time = f" · {took(last.duration_ms)}" if last and self.state in (DONE, FAILURE) else ""
        again = f" · try {last.attempt}" if last and last.attempt > 1 and self.state == FAILURE else ""
        said = (last.error or last.note) if last else ""
        first = f"{self.state}{time}{again}"
        lines = [line for line in (first, said) if line]
        return Mark(_class(self.state), lines, lines)


class Rehearsed(msgspec.Struct):
    """A node as it would go; ``stage`` is None where no way would lead to it."""

    node: Node
    stage: PreviewedStage | None

    @property
    def state(self) -> str:
        """As a run's nodes have it."""
        if self.stage is None:
            return SKIPPED
        return FAILURE if self.stage.error else DONE

    @property
    def mark(self) -> Mark:
        """It in the graph."""
        said = ""
        if self.stage is not None:
            said = self.stage.error or story.note(self.stage.type, self.stage.output)
        word = {DONE: "would be done", FAILURE: "would fail", SKIPPED: "not reached"}[self.state]
        lines = [line for line in (word, said) if line]
        return Mark(_class(self.state), lines, lines)


def _class(state: str) -> str:
    return state.replace(" ", "-")


def rehearsed(nodes: Iterable[Node], trial: Trial) -> list[Rehearsed]:
    """Each node in a trial."""
    stages = {stage.stage: stage for stage in trial.stages}
    return [Rehearsed(node, stages.get(node.name)) for node in nodes]


def of_history(history: Mapping[str, NodeHistory]) -> dict[str, Mark]:
    """How nodes were left lately."""
    return {name: _counted(found) for name, found in history.items()}


def _counted(found: NodeHistory) -> Mark:
    time = f"{took(found.median_ms)} median" if found.median_ms is not None else ""
    tries = f"{found.failed} failed {'try' if found.failed == 1 else 'tries'}" if found.failed else ""
    told = (left_by(found), " · ".join(filter(None, (tries, time))))
    lines = [line for line in told if line]
    return Mark("troubled" if found.failed else "", lines, lines)


def left_by(found: NodeHistory) -> str:
    """How often by which way: ``96 next · 4 otherwise``."""
    ways = (NEXT, OTHERWISE, FAILED)
    words = {FAILED: "on failure"}
    return " · ".join(f"{found.left[way]} {words.get(way, way)}" for way in ways if found.left.get(way))


def exits_of(run: story.Run) -> dict[str, str]:
    """By which way each of its nodes was left."""
    return {stage.stage: stage.exit for stage in run.stages if stage.exit}


def taken(run: story.Run, version_id: int | None, nodes: Sequence[Node]) -> list[Taken]:
    """Each node of the version that a run walks."""
    tries: dict[str, list[story.Stage]] = {}
    for stage in run.stages:
        tries.setdefault(stage.stage, []).append(stage)
    skipped = _skipped(run, version_id, nodes)
    asked = {waiting.node: waiting.question for waiting in questions(run)}
    return [
        Taken(node, _state(tries.get(node.name, []), node.name in skipped), tries.get(node.name, []),
              asked.get(node.name, ""))
        for node in nodes
    ]  # fmt: skip


def _state(tries: Sequence[story.Stage], skipped: bool) -> str:
    if tries:
        return _STATES[tries[-1].state]
    return SKIPPED if skipped else NOT_YET


def _skipped(run: story.Run, version_id: int | None, nodes: Iterable[Node]) -> set[str]:
    """The nodes that it will not come to; all others of a run that is through."""
    if run.due_at is None and run.state != PipelineRun.FAILED:
        return {node.name for node in nodes}
    try:
        return set(graph_of_version(version_id).skipped(exits_of(run)))
    except TocsinError:  # a plug-in that is gone: the run stands, and nobody knows what it would have skipped
        return set()


def questions(run: story.Run) -> list[story.Waiting]:
    """What it asks people."""
    return [waiting for waiting in run.waiting if waiting.type == "approval"]


def others(run: story.Run, nodes: Iterable[Node]) -> list[story.Stage]:
    """Stages of nodes that its version does not have, which is so where nobody knows the version any more."""
    known = {node.name for node in nodes}
    return [stage for stage in run.stages if stage.stage not in known]


def configs(document: Any) -> dict[str, Any]:
    """The settings of each node of a sound document."""
    return {node["id"]: node["config"] for node in document.get("nodes", []) if node.get("config")}
