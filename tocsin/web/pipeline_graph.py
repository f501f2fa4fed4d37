"""A pipeline's document drawn as a graph, also one that is half-written or wrong."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from tocsin.orchestration.definition import (
    CONTINUE,
    FAIL,
    FAILED,
    MOST_NODES,
    NEXT,
    OTHERWISE,
    Problem,
)
from tocsin.web.graph_layout import AROUND, Edge, Line, Point, label_width, lay_out

MOST_EDGES: Final = 300
_SHOWN: Final = {"name": 19, "type": 22, "line": 24}  # characters that fit into a box
_HEIGHT, _LINE = 48.0, 15.0
_WORDS: Final = {OTHERWISE: "otherwise", FAILED: "on failure"}


class Node(msgspec.Struct):
    """A node as far as it can be read; ``ways`` says what follows by which way."""

    name: str
    type: str
    anchor: str
    ways: dict[str, list[str]]

    @property
    def follows(self) -> str:
        """What follows, in words."""
        parts = ((_WORDS.get(way, ""), ", ".join(targets)) for way, targets in self.ways.items() if targets)
        return "; ".join(f"{word}: {names}" if word else names for word, names in parts)

    @property
    def joined(self) -> set[str]:
        """All that it leads to."""
        return {target for targets in self.ways.values() for target in targets}


class Mark(msgspec.Struct):
    """What a box says besides: its ``state`` as a colour, and in words; ``told`` is read out with it."""

    state: str = ""
    lines: list[str] = []
    told: list[str] = []


class Box(msgspec.Struct):
    """A node in its place."""

    x: str
    y: str
    name: str
    type: str
    state: str
    lines: list[tuple[str, str]]
    title: str
    anchor: str


class Way(msgspec.Struct):
    """A line between two, with its label."""

    path: str
    head: str
    kind: str
    title: str
    label: str
    label_x: str
    label_y: str
    label_left: str
    label_width: str


class Drawing(msgspec.Struct):
    """All of it."""

    width: str
    height: str
    box_height: str
    label: str
    boxes: list[Box]
    ways: list[Way]


def nodes_of(document: object) -> list[Node]:
    """The nodes of a document, each under a name of its own, as problems name them."""
    given = document.get("nodes") if isinstance(document, dict) else None
    found: dict[str, Node] = {}
    for place, node in enumerate(given if isinstance(given, list) else []):
        if isinstance(node, dict):
            name = _text(node.get("id"))[:64] or f"#{place + 1}"
            name = name if name not in found else f"{name} #{place + 1}"
            found[name] = Node(name, _text(node.get("type")), f"node-{place + 1}", _ways(node))
    return list(found.values())


def _ways(node: Mapping[str, Any]) -> dict[str, list[str]]:
    failure = _text(node.get("on_failure"))
    return {
        NEXT: _targets(node.get("next")),
        OTHERWISE: _targets(node.get("otherwise")),
        FAILED: [failure] if failure not in ("", FAIL, CONTINUE) else [],
    }


def _targets(given: object) -> list[str]:
    listed = given if isinstance(given, list) else [given]
    return [name for name in listed if isinstance(name, str) and name]


def _text(given: object) -> str:
    return given if isinstance(given, str) else ""


def marked(problems: Sequence[Problem]) -> dict[str, Mark]:
    """Problems at the boxes of their nodes."""
    marks: dict[str, Mark] = {}
    for problem in problems:
        mark = marks.setdefault(problem.node, Mark("wrong", [], []))
        mark.told.append(f"{problem.field}: {problem.message}")
        mark.lines = [f"⚠ {len(mark.told)} problem{'' if len(mark.told) == 1 else 's'}"]
    return marks


def draw(
    nodes: Sequence[Node], marks: Mapping[str, Mark], exits: Mapping[str, str] | None = None
) -> Drawing | None:
    """The graph; None where it is too much to be drawn. With ``exits`` the ways that were gone stand out."""
    missing = {name: Node(name, "no such node", "", {}) for node in nodes for name in sorted(node.joined)}
    known = missing | {node.name: node for node in nodes}
    edges = list(_edges(nodes))
    if len(known) > MOST_NODES or len(edges) > MOST_EDGES or not known:
        return None
    lines = max((len(mark.lines) for mark in marks.values()), default=0)
    height = _HEIGHT + lines * _LINE
    names = [node.name for node in nodes] + [name for name in known if name not in {n.name for n in nodes}]
    layout = lay_out(names, edges, height)
    boxes = [_box(known[name], layout.boxes[name], marks.get(name) or Mark()) for name in names]
    gone = set(_gone(nodes, exits or {}))
    ways = [_way(line, (line.edge.source, line.edge.target) in gone) for line in layout.lines]
    label = f"{len(nodes)} node{'' if len(nodes) == 1 else 's'}, from top to bottom"
    return Drawing(_px(layout.width), _px(layout.height), _px(height), label, boxes, ways)


def _edges(nodes: Sequence[Node]) -> Iterator[Edge]:
    """One for each two nodes, however many ways lead from one to the other."""
    for node in nodes:
        for target in dict.fromkeys(t for targets in node.ways.values() for t in targets):
            ways = [way for way, targets in node.ways.items() if target in targets]
            words = " or ".join(_WORDS[way] for way in ways if way != NEXT)
            yield Edge(node.name, target, f"also {words}" if words and NEXT in ways else words)


def _gone(nodes: Sequence[Node], exits: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        way = exits.get(node.name, "")
        # What failed and goes on all the same goes by next.
        for target in node.ways.get(way) or (node.ways[NEXT] if way == FAILED else []):
            yield node.name, target


def _box(node: Node, corner: Point, mark: Mark) -> Box:
    x, y = corner
    lines = [(_px(y + _HEIGHT + 2 + place * _LINE), line) for place, line in enumerate(mark.lines)]
    told = [f"{node.name} ({node.type or 'no type'})", *(mark.told or mark.lines)]
    state = mark.state if node.anchor else "missing"
    return Box(
        x=_px(x), y=_px(y), name=_cut(node.name, "name"), type=_cut(node.type, "type"), state=state,
        lines=[(at, _cut(line, "line")) for at, line in lines], title=". ".join(told), anchor=node.anchor,
    )  # fmt: skip


def _way(line: Line, gone: bool) -> Way:
    edge, (x, y) = line.edge, line.label
    wide = label_width(edge.label)
    kind = " ".join(word for word in ("back" * line.back, "gone" * gone, "side" * bool(edge.label)) if word)
    told = f"{edge.source} → {edge.target}{f', {edge.label}' if edge.label else ''}"
    return Way(
        path=_back(line) if line.back else _down(line.points), head=_head(line), kind=kind, title=told,
        label=edge.label, label_x=_px(x), label_y=_px(y + 4), label_left=_px(x - wide / 2),
        label_width=_px(wide),
    )  # fmt: skip


def _down(points: Sequence[Point]) -> str:
    """Swinging from layer to layer, straight through those that it passes."""
    path = [f"M{_at(points[0])}"]
    for place, ((x, y), (to_x, to_y)) in enumerate(zip(points, points[1:], strict=False)):
        middle = (y + to_y) / 2
        curve = f"C{_at((x, middle))} {_at((to_x, middle))} {_at((to_x, to_y))}"
        path.append(curve if place % 2 == 0 else f"L{_at((to_x, to_y))}")
    return "".join(path)


def _back(line: Line) -> str:
    (x, y), (to_x, to_y) = line.points
    out = max(x, to_x) + AROUND
    return f"M{_at((x, y))}C{_at((out, y))} {_at((out, to_y))} {_at((to_x, to_y))}"


def _head(line: Line) -> str:
    x, y = line.points[-1]
    return f"M{_at((x, y))}l7 -4v8z" if line.back else f"M{_at((x, y))}l-4 -7h8z"


def _at(point: Point) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"


def _px(number: float) -> str:
    return f"{number:.1f}"


def _cut(text: str, kind: str) -> str:
    most = _SHOWN[kind]
    return text if len(text) <= most else f"{text[: most - 1]}…"
