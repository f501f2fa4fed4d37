"""A fork: on one way where something holds, on the other where it does not."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from tocsin.core import matchers
from tocsin.core.errors import Rejected
from tocsin.core.expressions import Expression, search
from tocsin.orchestration.definition import NEXT, OTHERWISE
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk


class Config(NodeConfig):
    """What must hold; where both are given, both must."""

    expression: Expression = Field(
        default="", description="JMESPath on the run's document, such as nodes.CHECK.status == 'critical'"
    )
    matchers: list[str] = Field(
        default=[], description="On the labels that all its alerts share, and its severity; all must hold"
    )

    @field_validator("matchers")
    @classmethod
    def _are_matchers(cls, value: list[str]) -> list[str]:
        for text in value:
            try:
                matchers.parse_one(text)
            except Rejected as error:
                raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.expression and not self.matchers:
            raise ValueError("give an expression or matchers")
        return self


class Node(BatchNode[Config]):
    """Gives whether it holds; where it does not, the run goes on by otherwise."""

    Config = Config
    branches = True

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._matchers = [matchers.parse_one(text) for text in self.config.matchers]

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        return [self._outcome(walk) for walk in walks]

    def _outcome(self, walk: Walk) -> Outcome:
        found = search(self.config.expression, walk.document()) if self.config.expression else True
        holds = _true(found) and matchers.match_all(self._matchers, walk.news.all_labels())
        given = {"found": found if isinstance(found, bool | int | float | str | None) else _true(found)}
        return Outcome(given, {"result": holds}, exit=NEXT if holds else OTHERWISE)


def _true(found: Any) -> bool:
    """As JMESPath has it: nothing, empty and false are false; 0 is not."""
    return not (found is None or found is False or found in ("", [], {}))
