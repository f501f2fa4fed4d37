"""A definition made ready to be walked: its nodes built, its edges checked, and what comes next known."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from tocsin.core.errors import TocsinError, UnknownPlugin
from tocsin.orchestration.definition import (
    CONTINUE,
    FAIL,
    FAILED,
    NEXT,
    OTHERWISE,
    STAGES,
    Definition,
    NodeSpec,
    Problem,
    Unsound,
    read,
    said,
)
from tocsin.orchestration.nodes import BatchNode, SlowNode, nodes

_MOST_REMEMBERED: Final = 4_096

AnyNode = BatchNode[Any] | SlowNode[Any]


class Step(NamedTuple):
    """A node in its place: what it is, and the nodes that lead to it."""

    spec: NodeSpec
    node: AnyNode
    before: tuple[str, ...]


class Graph:
    """The nodes of one version of a definition."""

    def __init__(self, definition: Definition) -> None:
        """Raises Unsound."""
        problems = list(_problems(definition))
        built: dict[str, AnyNode] = {}
        for spec in definition.nodes:
            try:
                built[spec.id] = build(spec)
            except Unsound as error:
                problems += error.problems
        if not problems:
            problems = list(_circles(definition))
        if problems:
            raise Unsound(problems)
        self.steps = {
            spec.id: Step(spec, built[spec.id], _before(definition, spec.id)) for spec in definition.nodes
        }
        self._order = _ordered(definition)
        self._ready: dict[tuple[tuple[str, str], ...], tuple[str, ...]] = {}

    def ready(self, exits: Mapping[str, str]) -> tuple[str, ...]:
        """The nodes whose turn it is, once those in ``exits`` were left, each by its exit."""
        key = tuple(exits.items())
        found = self._ready.get(key)
        if found is None:
            if len(self._ready) >= _MOST_REMEMBERED:
                self._ready.clear()
            found = self._ready[key] = tuple(self._find(exits))
        return found

    def skipped(self, exits: Mapping[str, str]) -> list[str]:
        """The nodes that no way leads to any more."""
        return [name for name, live in self._reached(exits).items() if live is False]

    def _find(self, exits: Mapping[str, str]) -> Iterator[str]:
        for name, live in self._reached(exits).items():
            if live and name not in exits:
                yield name

    def _reached(self, exits: Mapping[str, str]) -> dict[str, bool | None]:
        """For each node whether its turn has come, never comes (False), or is not known yet."""
        reached: dict[str, bool | None] = {}
        for name in self._order:
            before = self.steps[name].before
            if any(reached[b] is None or (reached[b] and b not in exits) for b in before):
                reached[name] = None
            else:
                leads = (name in self.steps[b].spec.targets(exits[b]) for b in before if b in exits)
                reached[name] = not before or any(leads)
        return reached


def build(spec: NodeSpec) -> AnyNode:
    """A node with its config. Raises Unsound."""
    try:
        kind = nodes.get(spec.type)
        node = kind.of(kind.Config.model_validate(spec.config))
        if isinstance(node, BatchNode | SlowNode):
            return node
        raise UnknownPlugin(f"the node {spec.type} is neither a BatchNode nor a SlowNode")
    except UnknownPlugin as error:
        raise Unsound([Problem(node=spec.id, field="type", message=str(error))]) from error
    except ValidationError as error:
        raise Unsound(
            [
                Problem(node=spec.id, field=".".join(map(str, ("config", *e["loc"]))), message=said(e))
                for e in error.errors()
            ]
        ) from None
    except TocsinError as error:
        raise Unsound([Problem(node=spec.id, field="config", message=str(error))]) from error


def graph_of(document: object) -> Graph:
    """A decoded document, checked and built. Raises Unsound."""
    return Graph(read(document))


@lru_cache(maxsize=1)
def four_stages() -> Graph:
    """The built-in pipeline, for runs that no definition was found for."""
    return graph_of(STAGES)


def _problems(definition: Definition) -> Iterator[Problem]:
    names = [spec.id for spec in definition.nodes]
    for spec in definition.nodes:
        if names.count(spec.id) > 1:
            yield Problem(node=spec.id, field="id", message="there are several nodes of this id")
        for field, targets in (("next", spec.next), ("otherwise", spec.otherwise)):
            for target in targets:
                if target not in names:
                    yield Problem(node=spec.id, field=field, message=f"there is no node {target[:64]!r}")
        if spec.on_failure not in (FAIL, CONTINUE, *names):
            told = f"{spec.on_failure[:64]!r} is neither fail nor continue nor a node"
            yield Problem(node=spec.id, field="on_failure", message=told)
        if spec.otherwise and not _branches(spec.type):
            told = f"a node of type {spec.type} has one way on: next"
            yield Problem(node=spec.id, field="otherwise", message=told)


def _branches(kind: str) -> bool:
    try:
        return nodes.get(kind).branches
    except UnknownPlugin:
        return True  # which is said of its type


def _all_targets(spec: NodeSpec) -> set[str]:
    return {target for exit in (NEXT, OTHERWISE, FAILED) for target in spec.targets(exit)}


def _before(definition: Definition, name: str) -> tuple[str, ...]:
    return tuple(spec.id for spec in definition.nodes if name in _all_targets(spec))


def _ordered(definition: Definition) -> list[str]:
    """Each node after those that lead to it; those in circles are left out."""
    waits = {spec.id: set(_before(definition, spec.id)) for spec in definition.nodes}
    order: list[str] = []
    while free := [name for name, before in waits.items() if before <= set(order)]:
        order += free
        for name in free:
            del waits[name]
    return order


def _circles(definition: Definition) -> Iterator[Problem]:
    placed = set(_ordered(definition))
    for spec in definition.nodes:
        if spec.id not in placed and _leads_to_itself(definition, spec.id):
            yield Problem(node=spec.id, field="next", message="it leads back to itself")


def _leads_to_itself(definition: Definition, name: str) -> bool:
    edges = {spec.id: _all_targets(spec) for spec in definition.nodes}
    seen: set[str] = set()
    todo = [*edges[name]]
    while todo:
        here = todo.pop()
        if here == name:
            return True
        if here not in seen:
            seen.add(here)
            todo += edges[here]
    return False
