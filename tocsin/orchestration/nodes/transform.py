"""Values made of others: by JMESPath expressions or by sandboxed templates."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field, model_validator

from tocsin.core import templates
from tocsin.core.expressions import Expression, search
from tocsin.core.templates import Written
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk


class Config(NodeConfig):
    """What to make, by name."""

    expressions: dict[str, Expression] = Field(
        default={}, description="Values by JMESPath on the run's document"
    )
    templates: dict[str, Written] = Field(default={}, description="Texts by Jinja templates over the same")

    @model_validator(mode="after")
    def _makes_something(self) -> Self:
        if not self.expressions and not self.templates:
            raise ValueError("give expressions or templates")
        return self


class Node(BatchNode[Config]):
    """Gives the values by their names, for the nodes that follow."""

    Config = Config

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        return [Outcome({}, self._made(walk.document())) for walk in walks]

    def _made(self, document: dict[str, Any]) -> dict[str, Any]:
        found = {name: search(text, document) for name, text in self.config.expressions.items()}
        texts = {name: templates.render_text(text, document) for name, text in self.config.templates.items()}
        return found | texts
