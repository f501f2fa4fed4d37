"""Nodes that ask others, as they are in a replay: nobody is asked."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from tocsin.orchestration.graph import AnyNode, Graph
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, SlowNode, Walk

PROVIDERS: Final = "intelligence"  # of some of its providers an answer costs money


class Rehearsed(BatchNode[Any]):
    """Says what a slow node would ask of whom."""

    def __init__(self, node: AnyNode) -> None:
        super().__init__(node.config)
        self._node = node

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        return [self._node.rehearse(walk, context, name) for walk in walks]


class WithoutFindings(BatchNode[NodeConfig]):
    """A provider that has nothing to recommend."""

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        return [Outcome({}, {"recommendations": []})] * len(walks)


class StandIns:
    """Puts them into graphs, into each once."""

    def __init__(self) -> None:
        self._done: dict[int, Graph] = {}

    def put_into(self, graphs: Iterable[Graph]) -> None:
        for graph in graphs:
            if id(graph) not in self._done:
                self._done[id(graph)] = graph
                for name, step in graph.steps.items():
                    graph.steps[name] = step._replace(node=_harmless(step.spec.type, step.node))


def _harmless(kind: str, node: AnyNode) -> AnyNode:
    if kind == PROVIDERS:
        return WithoutFindings(NodeConfig())
    return Rehearsed(node) if isinstance(node, SlowNode) else node
