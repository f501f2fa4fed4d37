"""How runs went lately: which definition each walked, and how often each node was left by which way."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import median
from typing import Final

import msgspec

from tocsin.orchestration.models import PipelineRun, StageExecution

# Runs are not indexed by what they walk: of a definition that is seldom walked only those are found that
# are among the newest of all.
LOOKED_AT: Final = 2_000
COUNTED: Final = 100


class Walked(msgspec.Struct):
    """A run and the definition that it walked."""

    run_id: str
    definition_id: int | None
    version: int | None
    incident_id: int | None
    reason: str
    state: str
    created_at: datetime


class NodeHistory(msgspec.Struct):
    """A node in some runs: how often it was left by each way, how many tries failed, and what one took."""

    left: dict[str, int]
    failed: int
    median_ms: float | None


def recent() -> list[Walked]:
    """The newest runs, newest first."""
    columns = (
        "run_id", "version__definition_id", "version__number", "incident_id", "reason", "state", "created_at"
    )  # fmt: skip
    return [Walked(*row) for row in PipelineRun.objects.order_by("-pk").values_list(*columns)[:LOOKED_AT]]


def by_node(run_ids: Iterable[str]) -> dict[str, NodeHistory]:
    """Each node that some of these runs came to."""
    rows: dict[str, list[tuple[str, str, float]]] = {}
    stages = StageExecution.objects.filter(run_id__in=list(run_ids))
    for name, exit, state, ms in stages.values_list("stage", "exit", "state", "duration_ms"):
        rows.setdefault(name, []).append((exit, state, ms))
    return {name: _history(those) for name, those in rows.items()}


def _history(rows: Sequence[tuple[str, str, float]]) -> NodeHistory:
    took = [ms for _, state, ms in rows if state == StageExecution.SUCCEEDED]
    return NodeHistory(
        left=dict(Counter(exit for exit, _, _ in rows if exit).most_common()),
        failed=sum(state == StageExecution.FAILED for _, state, _ in rows),
        median_ms=median(took) if took else None,
    )
