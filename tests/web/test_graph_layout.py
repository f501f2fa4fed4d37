"""Graphs in their places: nothing overlaps, all goes forward, and the same is drawn the same."""

import random
from collections.abc import Iterator
from itertools import combinations, pairwise

import pytest

from tocsin.web.graph_layout import BETWEEN, GAP, WIDTH, Edge, Layout, lay_out

HEIGHT = 50.0


def laid(*edges: str, alone: str = "") -> Layout:
    """``ab`` is an edge from a to b."""
    names = list(dict.fromkeys("".join(edges) + alone))
    return lay_out(names, [Edge(edge[0], edge[1], edge[2:]) for edge in edges], HEIGHT)


def any_graph(seed: int) -> Layout:
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(chance.randint(1, 30))]
    pairs = [pair for pair in combinations(names, 2) if chance.random() < chance.choice((0.05, 0.2))]
    chance.shuffle(names)
    return lay_out(names, [Edge(a, b, chance.choice(("", "otherwise"))) for a, b in pairs], HEIGHT)


def overlaps(found: Layout) -> Iterator[tuple[str, str]]:
    for (a, (ax, ay)), (b, (bx, by)) in combinations(found.boxes.items(), 2):
        if abs(ax - bx) < WIDTH and abs(ay - by) < HEIGHT:
            yield a, b


def through_boxes(found: Layout) -> Iterator[tuple[str, str]]:
    """Straight stretches, which pass through layers, that hit a box there."""
    for line in found.lines:
        for x, y in line.points[1:-1]:
            for name, (left, top) in found.boxes.items():
                if left < x < left + WIDTH and top <= y <= top + HEIGHT:
                    yield line.edge.source, name


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_graph(seed: int) -> None:
    found = any_graph(seed)
    assert list(overlaps(found)) == [] and list(through_boxes(found)) == []
    for line in found.lines:
        assert not line.back
        heights = [y for _, y in line.points]
        assert heights == sorted(heights), "every edge goes forward"
        assert found.boxes[line.edge.source][1] + HEIGHT == heights[0]
        assert found.boxes[line.edge.target][1] == heights[-1]
        sides = [found.boxes[name][0] for name in (line.edge.source, line.edge.target)]
        for side, (x, _) in zip(sides, (line.points[0], line.points[-1]), strict=True):
            assert side < x < side + WIDTH, "and ends at its boxes"
    reach = [x for x, _ in found.boxes.values()]
    assert min(reach) >= 0 and max(reach) + WIDTH <= found.width
    assert found == any_graph(seed), "and the same again"


def test_one_after_the_other() -> None:
    found = laid("ab", "bc")
    assert {x for x, _ in found.boxes.values()} == {2.0}
    tops = [y for _, y in found.boxes.values()]
    assert [low - high for high, low in pairwise(tops)] == [HEIGHT + GAP] * 2


def test_branches_stand_side_by_side_and_join_in_the_middle() -> None:
    boxes = laid("ab", "ac", "bd", "cd").boxes
    assert boxes["b"][1] == boxes["c"][1] and boxes["c"][0] - boxes["b"][0] == WIDTH + BETWEEN
    middle = (boxes["b"][0] + boxes["c"][0]) / 2
    assert boxes["a"][0] == boxes["d"][0] == pytest.approx(middle)


def test_crossings_are_undone() -> None:
    boxes = laid("ac", "bd", "ad", "be", "ae", "ce", "cf", "dg", "eh").boxes
    crossed = lay_out(list("abdc"), [Edge("a", "c"), Edge("b", "d")], HEIGHT).boxes
    assert crossed["a"][0] == crossed["c"][0] and crossed["b"][0] == crossed["d"][0]
    assert len(boxes) == 8


def test_a_shortcut_goes_around_what_it_skips() -> None:
    found = laid("ab", "bc", "ac")
    assert len(found.lines[2].points) == 4
    assert list(through_boxes(found)) == []


def test_what_has_no_order_keeps_the_one_given() -> None:
    boxes = laid(alone="xyz").boxes
    assert boxes["x"][0] < boxes["y"][0] < boxes["z"][0]


@pytest.mark.parametrize("edges", [("aa",), ("ab", "ba"), ("ab", "bc", "ca", "cd")])
def test_circles_are_drawn_and_told(edges: tuple[str, ...]) -> None:
    found = laid(*edges)
    assert [line.back for line in found.lines].count(True) == 1
    assert list(overlaps(found)) == []


def test_labels_stand_apart() -> None:
    lines = laid("abotherwise", "acon failure", "bd", "cd").lines
    (x, y), (other_x, other_y) = (line.label for line in lines[:2])
    assert abs(x - other_x) > 60 or abs(y - other_y) >= 16


def test_nothing_is_a_layout_too() -> None:
    assert lay_out([], [], HEIGHT).boxes == {}


def test_a_hundred_nodes_do_not_take_long() -> None:
    names = [f"n{number}" for number in range(100)]
    edges = [Edge(a, b) for at, a in enumerate(names) for b in names[at + 1 :: 20]][:250]
    found = lay_out(names, edges, HEIGHT)
    assert len(found.boxes) == 100 and list(overlaps(found)) == []
