"""What comes next in a definition, and what is wrong in one that cannot be run."""

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from tocsin.orchestration.definition import Unsound
from tocsin.orchestration.graph import Graph, four_stages, graph_of
from tocsin.orchestration.nodes import BaseNode, Context, NodeConfig, Outcome, Walk, nodes

YES = {"expression": "`true`"}


def node(name: str, kind: str = "ingest", **rest: Any) -> dict[str, Any]:
    return {"id": name, "type": kind, **rest}


def graph(*nodes: dict[str, Any]) -> Graph:
    return graph_of({"version": "1.0", "nodes": list(nodes)})


def walked(found: Graph, **exits: str) -> list[list[str]]:
    """The nodes taken together, turn by turn; ``exits`` are those that are not left by next."""
    turns, left = [], dict[str, str]()
    while ready := found.ready(left):
        turns.append(sorted(ready))
        left |= {name: exits.get(name, "next") for name in ready}
    return turns


def problems(*nodes: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Unsound) as refused:
        graph(*nodes)
    return [(problem.node, problem.field) for problem in refused.value.problems]


def test_the_four_stages_follow_each_other() -> None:
    assert walked(four_stages()) == [["INGEST"], ["CHECK"], ["ANALYZE"], ["NOTIFY"]]


def test_branches_run_side_by_side_and_are_waited_for() -> None:
    found = graph(
        node("a", next=["b", "c"]), node("b", next="d"), node("d", next="e"), node("c", next="e"), node("e")
    )
    assert walked(found) == [["a"], ["b", "c"], ["d"], ["e"]]
    assert found.ready({"a": "next", "c": "next"}) == ("b",), "e waits for d"


def test_a_condition_takes_one_way_and_the_other_is_not_waited_for() -> None:
    found = graph(
        node("if", "condition", config=YES, next="yes", otherwise="no"),
        node("yes", next="more"), node("more", next="end"), node("no", next="end"), node("end"),
    )  # fmt: skip
    assert walked(found) == [["if"], ["yes"], ["more"], ["end"]]
    assert walked(found, **{"if": "otherwise"}) == [["if"], ["no"], ["end"]]
    assert found.skipped({"if": "otherwise"}) == ["yes", "more"]


def test_a_way_without_an_end_ends_what_only_it_leads_to() -> None:
    found = graph(node("if", "condition", config=YES, next="then"), node("then", next="end"), node("end"))
    assert walked(found, **{"if": "otherwise"}) == [["if"]]


def test_a_failed_node_leads_where_it_says() -> None:
    found = graph(
        node("ask", next="use", on_failure="tell"),
        node("use", next="end"),
        node("tell", next="end"),
        node("end"),
    )
    assert walked(found, ask="failed") == [["ask"], ["tell"], ["end"]]
    assert walked(found) == [["ask"], ["use"], ["end"]]
    goes_on = graph(node("ask", next="use", on_failure="continue"), node("use"))
    assert walked(goes_on, ask="failed") == [["ask"], ["use"]]


def test_nodes_nothing_leads_to_all_begin() -> None:
    assert walked(graph(node("a", next="c"), node("b", next="c"), node("c"))) == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("nodes", "where"),
    [
        ([node("a"), node("a")], [("a", "id"), ("a", "id")]),
        ([node("a", next="b")], [("a", "next")]),
        ([node("a", "nonsense")], [("a", "type")]),
        ([node("a", config={"x": 1})], [("a", "config.x")]),
        ([node("a", "context", config={"include": ["nonsense"]})], [("a", "config.include")]),
        ([node("a", "notify", config={"channels": 3})], [("a", "config.channels")]),
        ([node("a", otherwise="b"), node("b")], [("a", "otherwise")]),
        ([node("a", on_failure="nowhere")], [("a", "on_failure")]),
        ([node("a", next="b"), node("b", next="a")], [("a", "next"), ("b", "next")]),
        ([node("a", next="a")], [("a", "next")]),
        ([node("a", next="b"), node("b", next="c"), node("c", next="b")], [("b", "next"), ("c", "next")]),
        ([node("a", on_failure="a")], [("a", "next")]),
        ([node("not an id")], [("not an id", "id")]),
        ([{"type": "ingest"}], [("#1", "id")]),
        ([node("a", retry={"tries": 0})], [("a", "retry.tries")]),
        ([node("a", timeout="long")], [("a", "timeout")]),
        ([node("a", surprise=1)], [("a", "surprise")]),
        ([node("a", "condition", config={})], [("a", "config")]),
        ([node("a", "condition", config={"expression": "a..b"})], [("a", "config.expression")]),
        ([node("a", "condition", config={"matchers": ["a~b"]})], [("a", "config.matchers")]),
        ([node("a", "transform", config={"templates": {"x": "{{ 1 +"}})], [("a", "config.templates.x")]),
        ([node("a", "check", config={"checker": "nonsense"})], [("a", "config.checker")]),
        ([node("a", "check", config={"checker": "disk", "options": {"x": 1}})], [("a", "config")]),
        ([node("a", "wait", config={"seconds": -1})], [("a", "config.seconds")]),
        ([node("a", "intelligence", config={"provider": "nobody"})], [("a", "config.provider")]),
        ([], [("", "nodes")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_node_and_field(nodes: list[Any], where: list[tuple[str, str]]) -> None:
    assert problems(*nodes) == where


@pytest.mark.parametrize(
    "document", [None, [], "x", {}, {"version": "2.0", "nodes": [node("a")]}, {"nodes": 3}]
)
def test_what_is_no_definition_is_refused(document: object) -> None:
    with pytest.raises(Unsound):
        graph_of(document)


class Neither(BaseNode[NodeConfig]):
    """Another distribution's, which works in no way that the engine knows."""

    def rehearse(self, walk: Walk, context: Context, name: str) -> Outcome:
        return Outcome({}, {})


def test_a_node_that_nobody_can_run_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("odd", f"{__name__}:Neither", nodes.package)
    monkeypatch.setitem(nodes.__dict__, "_theirs", {"odd": entry})
    with pytest.raises(Unsound, match="node a: type: the node odd is neither a BatchNode nor a SlowNode"):
        graph(node("a", "odd"))
