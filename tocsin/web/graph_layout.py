"""Where the boxes and lines of a graph go: layer below layer, with few crossings. Values in, values out."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

WIDTH: Final = 160.0
BETWEEN: Final = 16.0  # two boxes beside each other
GAP: Final = 56.0  # two layers: room for labels
BEND: Final = 12.0  # what a line takes that passes through a layer
MARGIN: Final = 2.0
AROUND: Final = 40.0  # how far a line that leads back goes out
LABEL_HEIGHT: Final = 16.0
_SWEEPS: Final = 8
_PORTS: Final = 24.0  # two lines at the same box
_ALONG: Final = (0.5, 0.72, 0.28)  # where on a line its label may stand

Point = tuple[float, float]
Slot = str | tuple[int, int]  # a node, or the line of this number in this layer
Rows = list[list[Slot]]
Links = Mapping[Slot, Sequence[Slot]]


class Edge(msgspec.Struct, frozen=True):
    """A line that is wanted."""

    source: str
    target: str
    label: str = ""


class Line(msgspec.Struct):
    """A line in its place: points from box to box, between which it swings on odd stretches and goes
    straight on even ones. One that leads ``back`` has two, at the boxes' right sides."""

    edge: Edge
    points: list[Point]
    back: bool
    label: Point


class Layout(msgspec.Struct):
    """All of it; a box is known by its upper left corner."""

    boxes: dict[str, Point]
    lines: list[Line]
    width: float
    height: float


def lay_out(names: Sequence[str], edges: Sequence[Edge], height: float) -> Layout:
    """Boxes of this height for these nodes. Where edges go in circles, some lead back."""
    layers = _layers(names, edges)
    forward = [layers[edge.source] < layers[edge.target] for edge in edges]
    chains = [_chain(number, edge, layers) for number, edge in enumerate(edges) if forward[number]]
    up, down = _links(chains)
    rows = _untangled(_begun(names, layers, chains), up, down)
    middles = _middles(rows, up, down)
    tops = {slot: MARGIN + row * (height + GAP) for row, slots in enumerate(rows) for slot in slots}
    boxes = {name: (middles[name] - WIDTH / 2, tops[name]) for name in names}
    bent = {edge: chain for edge, chain in zip(_kept(edges, forward), chains, strict=True)}
    lines = _lines(edges, bent, middles, tops, height)
    _label(lines)
    return _framed(Layout(boxes, lines, 0.0, MARGIN * 2 + len(rows) * (height + GAP) - GAP))


def _kept(edges: Sequence[Edge], forward: Sequence[bool]) -> list[Edge]:
    return [edge for edge, goes_on in zip(edges, forward, strict=True) if goes_on]


def _layers(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Each node below those that lead to it. In a circle the first of those left begins."""
    before: dict[str, set[str]] = {name: set() for name in names}
    for edge in edges:
        before[edge.target].add(edge.source)
    layers: dict[str, int] = {}
    left = dict.fromkeys(names)
    while left:
        free = [name for name in left if not before[name] & left.keys()] or [next(iter(left))]
        for name in free:
            layers[name] = 1 + max((layers[b] for b in before[name] if b in layers), default=-1)
        for name in free:
            del left[name]
    return layers


def _chain(number: int, edge: Edge, layers: Mapping[str, int]) -> list[Slot]:
    """The slots that a line takes, from box to box."""
    between = range(layers[edge.source] + 1, layers[edge.target])
    return [edge.source, *((number, layer) for layer in between), edge.target]


def _links(chains: Iterable[Sequence[Slot]]) -> tuple[Links, Links]:
    """For each slot those it is linked with above, and those below."""
    up: dict[Slot, list[Slot]] = {}
    down: dict[Slot, list[Slot]] = {}
    for chain in chains:
        for upper, lower in zip(chain, chain[1:], strict=False):
            up.setdefault(lower, []).append(upper)
            down.setdefault(upper, []).append(lower)
    return up, down


def _begun(names: Sequence[str], layers: Mapping[str, int], chains: Iterable[Sequence[Slot]]) -> Rows:
    rows: Rows = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for name in names:
        rows[layers[name]].append(name)
    for chain in chains:
        for slot in chain[1:-1]:
            rows[int(slot[1])].append(slot)
    return rows


def _untangled(rows: Rows, up: Links, down: Links) -> Rows:
    """The order within layers that crosses least, of some that are tried: each slot near its neighbours."""
    best, fewest = rows, _crossings(rows, down)
    for sweep in range(_SWEEPS):
        if not fewest:
            return best
        rows = _swept(rows, up) if sweep % 2 == 0 else _swept(rows[::-1], down)[::-1]
        found = _crossings(rows, down)
        if found < fewest:
            best, fewest = rows, found
    return best


def _swept(rows: Rows, links: Links) -> Rows:
    """Each layer but the first put in order by the one before it; what is equal stays as it was."""
    done: Rows = []
    for row in rows:
        place = {slot: at / len(done[-1]) for at, slot in enumerate(done[-1])} if done else {}
        here = {slot: at / len(row) for at, slot in enumerate(row)}
        done.append(sorted(row, key=lambda slot: _mean(links.get(slot, ()), place, here[slot])))
    return done


def _mean(slots: Sequence[Slot], places: Mapping[Slot, float], otherwise: float) -> float:
    found = [places[slot] for slot in slots if slot in places]
    return sum(found) / len(found) if found else otherwise


def _crossings(rows: Rows, down: Links) -> int:
    count = 0
    for upper, lower in zip(rows, rows[1:], strict=False):
        place = {slot: at for at, slot in enumerate(lower)}
        seen: list[int] = []
        for slot in upper:
            for end in sorted(place[other] for other in down.get(slot, ())):
                at = bisect_right(seen, end)
                count += len(seen) - at
                seen.insert(at, end)
    return count


def _middles(rows: Rows, up: Links, down: Links) -> dict[Slot, float]:
    """Each slot as near to below and above its neighbours as the others let it."""
    middles: dict[Slot, float] = {}
    for row in rows:
        middles |= _spread(row, dict.fromkeys(row, 0.0))
    for sweep in range(_SWEEPS):
        links = up if sweep % 2 == 0 else down
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = {slot: _mean(links.get(slot, ()), middles, middles[slot]) for slot in row}
            middles |= _spread(row, wanted)
    return middles


def _spread(row: Sequence[Slot], wanted: Mapping[Slot, float]) -> dict[Slot, float]:
    """Side by side in this order, as near to what is wanted as may be.

    Without the room that each takes this is to find the nearest numbers that never fall: neighbours that
    would are made one, in their mean.
    """
    offsets = [0.0]
    for left, right in zip(row, row[1:], strict=False):
        offsets.append(offsets[-1] + (_room(left) + _room(right)) / 2 + BETWEEN)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for slot, offset in zip(row, offsets, strict=False):
        mean, weight, count = wanted[slot] - offset, _weight(slot), 1
        while blocks and blocks[-1][0] > mean:
            other, heavy, more = blocks.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + more
        blocks.append((mean, weight, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    return {slot: mean + offset for slot, mean, offset in zip(row, means, offsets, strict=False)}


def _room(slot: Slot) -> float:
    return WIDTH if isinstance(slot, str) else BEND


def _weight(slot: Slot) -> float:
    """Lines that pass through are kept straight."""
    return 1.0 if isinstance(slot, str) else 4.0


def _lines(
    edges: Sequence[Edge],
    chains: Mapping[Edge, Sequence[Slot]],
    middles: Mapping[Slot, float],
    tops: Mapping[Slot, float],
    height: float,
) -> list[Line]:
    starts = _ports((chain[:2] for chain in chains.values()), middles)
    ends = _ports((chain[:-3:-1] for chain in chains.values()), middles)
    lines = []
    for edge in edges:
        source, target = edge.source, edge.target
        if edge not in chains:
            side = [(middles[name] + WIDTH / 2, tops[name] + height * part)
                    for name, part in ((source, 0.7), (target, 0.3))]  # fmt: skip
            lines.append(Line(edge, side, True, side[0]))
            continue
        chain = chains[edge]
        through = [(middles[slot], tops[slot] + down) for slot in chain[1:-1] for down in (0.0, height)]
        begin = (starts[source, chain[1]], tops[source] + height)
        end = (ends[target, chain[-2]], tops[target])
        lines.append(Line(edge, [begin, *through, end], False, begin))
    return lines


def _ports(ends: Iterable[Sequence[Slot]], middles: Mapping[Slot, float]) -> dict[tuple[Slot, Slot], float]:
    """Where on a box each of its lines ends, side by side in the order of where they come from."""
    beside: dict[Slot, list[Slot]] = {}
    for box, other in ends:
        beside.setdefault(box, []).append(other)
    ports = {}
    for box, others in beside.items():
        step = min(_PORTS, (WIDTH - 40) / max(1, len(others) - 1))
        for place, other in enumerate(sorted(others, key=middles.__getitem__)):
            ports[box, other] = middles[box] + (place - (len(others) - 1) / 2) * step
    return ports


def _label(lines: Iterable[Line]) -> None:
    """Put each label on its line where no other stands yet."""
    taken: list[tuple[float, float, float]] = []
    for line in lines:
        if line.edge.label:
            room = label_width(line.edge.label)
            spots = [_spot(line, part) for part in _ALONG]
            line.label = next((spot for spot in spots if _free(spot, room, taken)), spots[0])
            taken.append((*line.label, room))


def label_width(text: str) -> float:
    """How wide a label is."""
    return len(text) * 6.2 + 10


def _free(spot: Point, room: float, taken: Iterable[tuple[float, float, float]]) -> bool:
    return not any(
        abs(spot[0] - x) < (room + width) / 2 and abs(spot[1] - y) < LABEL_HEIGHT for x, y, width in taken
    )


def _spot(line: Line, part: float) -> Point:
    """A point of its first stretch."""
    (x, y), (to_x, to_y) = line.points[:2]
    if line.back:
        return max(x, to_x) + AROUND * 0.75, (y + to_y) / 2
    return x + (to_x - x) * (3 * part**2 - 2 * part**3), y + (to_y - y) * part


def _framed(layout: Layout) -> Layout:
    """Moved so that it begins at the left margin, and as wide as it is."""
    left, right = _bounds(layout)
    move = MARGIN - left

    def moved(point: Point) -> Point:
        return point[0] + move, point[1]

    lines = [
        Line(line.edge, [moved(p) for p in line.points], line.back, moved(line.label))
        for line in layout.lines
    ]
    boxes = {name: moved(corner) for name, corner in layout.boxes.items()}
    return Layout(boxes, lines, right - left + 2 * MARGIN, layout.height)


def _bounds(layout: Layout) -> tuple[float, float]:
    reach = list(_reach(layout))
    return min((low for low, _ in reach), default=0.0), max((high for _, high in reach), default=0.0)


def _reach(layout: Layout) -> Iterator[tuple[float, float]]:
    for x, _ in layout.boxes.values():
        yield x, x + WIDTH
    for line in layout.lines:
        out = AROUND if line.back else 0.0
        yield from ((x, x + out) for x, _ in line.points)
        if line.edge.label:
            half = label_width(line.edge.label) / 2
            yield line.label[0] - half, line.label[0] + half
