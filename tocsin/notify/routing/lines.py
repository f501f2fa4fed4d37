"""YAML whose every value knows its line, so that what is wrong can be shown where it stands.

Scalars stay the text that was written, as the fields they are for decide what they mean.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

import msgspec
import yaml
from pydantic import BaseModel, ValidationError

from tocsin.core.errors import Rejected

MAX_BYTES: Final = 2 * 1024 * 1024
MOST_VALUES: Final = 100_000
DEEPEST: Final = 60
_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL: Final = "tag:yaml.org,2002:null"
_MERGE: Final = "tag:yaml.org,2002:merge"
_BEGIN: Final = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_END: Final = (yaml.SequenceEndEvent, yaml.MappingEndEvent)

Where = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


class Node(msgspec.Struct, frozen=True):
    """A value, where it stands, and what leads to it: ``route.routes[3].receiver``."""

    line: int
    where: Where
    value: "str | list[Node] | dict[str, Node] | None"

    @property
    def path(self) -> str:
        """What leads to it, as people read it."""
        return path(self.where)

    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {name: node.plain() for name, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value

    def get(self, name: str) -> "Node | None":
        """What a mapping has under a name, unless it is null."""
        found = self.value.get(name) if isinstance(self.value, dict) else None
        return found if found is not None and found.value is not None else None

    def fields(self) -> dict[str, "Node"]:
        """What a mapping has; nothing of anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def items(self) -> list["Node"]:
        """What a list has; nothing of anything else."""
        return self.value if isinstance(self.value, list) else []

    def text(self, name: str) -> str:
        """The text that a mapping has under a name; none where there is something else."""
        found = self.get(name)
        return found.value if found is not None and isinstance(found.value, str) else ""

    def nearest(self, where: Where) -> tuple["Node", Where]:
        """The value that this leads to, or the last one on the way that is there, and what leads on."""
        node = self
        for place, step in enumerate(where):
            below = node.value
            if isinstance(below, dict) and step in below:
                node = below[str(step)]
            elif isinstance(below, list) and isinstance(step, int) and step < len(below):
                node = below[step]
            else:
                return node, where[place:]
        return node, ()


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and where; line 0 where nothing was written in lines."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line else ""
        return ": ".join(filter(None, (line, self.path, self.message)))


class Unsound(Rejected):
    """A document that cannot be used; ``problems`` says why, all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def path(where: Where) -> str:
    """``("route", "routes", 3)`` as ``route.routes[3]``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return "".join(steps).removeprefix(".")


def validated(model: type[M], document: object, written: Node | None = None) -> M:
    """A document as its model has it; ``written`` tells the lines of it. Raises Unsound."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise Unsound([problem(found["loc"], _said(found), written) for found in error.errors()]) from None


def problem(where: Iterable[str | int], message: str, written: Node | None) -> Problem:
    """What is wrong, at the line of the nearest value that was written."""
    steps = tuple(step for step in where if step != "[key]")
    node, further = written.nearest(steps) if written else (None, steps)
    return Problem(node.line if node else 0, path((*(node.where if node else ()), *further)), message)


def _said(found: Any) -> str:
    """What pydantic found, without its prefix, in our words where it speaks of Python."""
    told = {"extra_forbidden": "there is no such field", "missing": "it is missing"}
    return told.get(found["type"]) or str(found["msg"]).removeprefix("Value error, ")


def read(text: str | bytes) -> Node:
    """One YAML document. Raises Unsound."""
    if len(text) > MAX_BYTES:
        raise Unsound([Problem(0, "", f"it is larger than {MAX_BYTES:,} bytes")])
    try:
        _bounded(text)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise Unsound([_unreadable(error)]) from None
    if root is None:
        return Node(1, (), None)
    reading = _Reading()
    found = reading.node(root, ())
    if reading.problems:
        raise Unsound(reading.problems)
    return found


def _bounded(text: str | bytes) -> None:
    """Refuse what is nested so deep that reading it would exhaust the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, _BEGIN) - isinstance(event, _END)
        if depth > DEEPEST:
            raise Unsound(
                [Problem(_line(event.start_mark), "", f"it is nested deeper than {DEEPEST} levels")]
            )


def _line(mark: Any) -> int:
    return int(mark.line) + 1 if mark else 0


def _unreadable(error: yaml.YAMLError) -> Problem:
    line = _line(getattr(error, "problem_mark", None))
    told = getattr(error, "problem", None) or str(error).splitlines()[0]
    return Problem(line, "", f"not YAML: {told}")


class _Reading:
    """Makes our nodes of yaml's. Aliases are followed anew each time, so the values are counted."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._left = MOST_VALUES

    def node(self, given: yaml.Node, where: Where) -> Node:
        line = _line(given.start_mark)
        self._left -= 1
        if self._left < 0 or len(where) > DEEPEST:
            raise Unsound([Problem(line, path(where[:6]), f"it comes to more than {MOST_VALUES:,} values")])
        if isinstance(given, yaml.MappingNode):
            return Node(line, where, self._mapping(given, where))
        if isinstance(given, yaml.SequenceNode):
            below = enumerate(given.value)
            return Node(line, where, [self.node(item, (*where, place)) for place, item in below])
        return Node(line, where, None if given.tag == _NULL else str(given.value))

    def _mapping(self, given: yaml.MappingNode, where: Where) -> dict[str, Node]:
        found: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in given.value:
            if key.tag == _MERGE:
                for node in self._merged(value, where):
                    merged = {**node.fields(), **merged}
                continue
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if not isinstance(key, yaml.ScalarNode) or name in found:
                self._wrong(key, where, f"{name!r} stands here twice" if name else "a name must be a text")
                continue
            found[name] = msgspec.structs.replace(
                self.node(value, (*where, name)), line=_line(key.start_mark)
            )
        return {**merged, **found}

    def _merged(self, value: yaml.Node, where: Where) -> Iterator[Node]:
        """What ``<<`` brings in: a mapping or a list of them."""
        for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if isinstance(one, yaml.MappingNode):
                yield self.node(one, where)
            else:
                self._wrong(one, where, "<< takes a mapping or a list of them")

    def _wrong(self, at: yaml.Node, where: Where, message: str) -> None:
        self.problems.append(Problem(_line(at.start_mark), path(where), message))
