"""CHECK: the state of this machine. One set of results serves all runs of the same few seconds."""

from collections.abc import Sequence

from django.conf import settings
from pydantic import Field, field_validator

from tocsin.checkers.services import CONTEXT, described
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk


class Config(NodeConfig):
    """Which of the checks that always run."""

    include: list[str] = Field(default=list(CONTEXT), description="Checks to look at")

    @field_validator("include")
    @classmethod
    def _always_run(cls, value: list[str]) -> list[str]:
        for name in value:
            if name not in CONTEXT:
                raise ValueError(
                    f"{name[:64]!r} is none of {', '.join(CONTEXT)}; for others use a node check"
                )
        return value


class Node(BatchNode[Config]):
    """Gives the status and metrics of the context checkers."""

    Config = Config

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        results = [
            result
            for result in context.checks.latest(walks[0].news.trace_id)
            if result.checker in self.config.include
        ]
        asked = {"instance": settings.INSTANCE_ID, "checkers": [result.checker for result in results]}
        return [Outcome(asked, described(results))] * len(walks)
