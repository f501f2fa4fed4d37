"""Who gets an alert, why, why not, and when."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.core.matchers import match_all
from tocsin.notify.routing import document
from tocsin.notify.routing.document import Route
from tocsin.notify.routing.lines import Unsound
from tocsin.notify.routing.tree import Decision, Muting, Tree, compile_tree, resolve, why_not

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
MIDNIGHT = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
NIGHT = [{"start_time": "22:00", "end_time": "24:00"}, {"start_time": "00:00", "end_time": "06:00"}]
OFFICE = [{"start_time": "09:00", "end_time": "17:00"}]
HOURS = [
    {"name": "nights", "time_intervals": [{"times": NIGHT}]},
    {"name": "office", "time_intervals": [{"times": OFFICE, "weekdays": ["monday:friday"]}]},
    {"name": "no-holiday", "time_intervals": [{"except_holidays": ["closed"]}]},
]


def tree(*routes: dict[str, Any], **root: Any) -> Tree:
    """A tree whose root tells ``chat``."""
    return compile_tree(
        document.read(
            {
                "route": {"receiver": "chat", **root, "routes": list(routes)},
                "receivers": {"chat": ["slack"], "dba": ["mail", "pager"], "web": ["web"]},
                "time_intervals": HOURS,
                "holidays": {"closed": ["11-23"]},
            }
        )
    )


def told(tree: Tree, at: datetime = NOON, **labels: str) -> list[str]:
    return [decision.receiver or ",".join(decision.channels) for decision in resolve(tree, labels, at)]


def one(tree: Tree, at: datetime = NOON, **labels: str) -> Decision:
    [found] = resolve(tree, labels, at)
    return found


DEEP = (
    {"matchers": ["service=db"], "receiver": "dba", "routes": [
        {"matchers": ["severity=critical"], "channels": ["pager"], "continue": True},
        {"matchers": ["severity=~critical|error"], "receiver": "web"},
    ]},
    {"matchers": ['team=""'], "channels": ["orphans"], "continue": True},
    {"match": {"team": "web"}, "match_re": {"path": "/api/.*"}, "receiver": "web"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "whom"),
    [
        ({"team": "x"}, ["chat"]),
        ({"service": "db"}, ["dba"]),
        ({"service": "db", "severity": "error"}, ["web"]),
        ({"service": "db", "severity": "critical"}, ["pager", "web"]),
        ({}, ["orphans"]),
        ({"team": "web", "path": "/api/1"}, ["web"]),
        ({"team": "web", "path": "/x"}, ["chat"]),
    ],
)
def test_the_first_that_matches_takes_it_unless_it_continues(labels: dict[str, str], whom: list[str]) -> None:
    assert told(tree(*DEEP), **labels) == whom


def test_what_is_not_given_comes_from_above() -> None:
    below = {"matchers": ["a=b"], "routes": [{"matchers": ["c=d"], "group_wait": "5s", "channels": []}]}
    found = tree(below, group_by=["alertname"], group_interval="1m", repeat_interval="1h30m")
    first, last = one(found, a="b"), one(found, a="b", c="d")
    assert (first.group_by, first.group_wait, first.group_interval) == (("alertname",), 30, 60)
    assert (last.group_wait, last.repeat_interval, last.receiver, last.channels) == (5, 5_400, "", ())
    assert [step.path for step in last.steps] == ["route", "route.routes[0]", "route.routes[0].routes[0]"]
    assert last.route == "route.routes[0].routes[0]"


def test_groups() -> None:
    found = tree(
        {"matchers": ["by=all"], "group_by": ["..."]},
        {"matchers": ["by=none"], "group_by": []},
        group_by=["a", "b"],
    )
    assert one(found, a="1").group({"a": "1", "c": "3"}) == {"a": "1"}
    assert one(found, by="all").group({"by": "all", "c": "3"}) == {"by": "all", "c": "3"}
    assert one(found, by="none").group({"by": "none"}) == {}


def test_muted_hours() -> None:
    found = tree({"matchers": ["a=b"], "mute_time_intervals": ["nights"], "receiver": "dba"})
    awake, asleep = one(found, a="b"), one(found, MIDNIGHT, a="b")
    assert (awake.muted, awake.active_until) == (None, datetime(2026, 11, 23, 22, tzinfo=UTC))
    assert asleep.muted == Muting("muted", ("nights",), datetime(2026, 11, 24, 6, tzinfo=UTC))
    assert one(found, MIDNIGHT, a="c").muted is None


def test_active_hours_are_not_inherited() -> None:
    below = {"matchers": ["c=d"]}
    found = tree({"matchers": ["a=b"], "active_time_intervals": ["office", "no-holiday"], "routes": [below]})
    assert one(found, MIDNIGHT, a="b", c="d").muted is None
    awake, asleep = one(found, a="b"), one(found, MIDNIGHT, a="b")
    assert (awake.muted, awake.active_in) == (None, ("office",))
    assert asleep.muted is not None
    assert (asleep.muted.reason, asleep.muted.until) == ("inactive", datetime(2026, 11, 24, tzinfo=UTC))


def test_hours_are_looked_up_again_when_they_change() -> None:
    found = tree({"matchers": ["a=b"], "mute_time_intervals": ["nights"]})
    asked = [(12, None), (23, 6), (12, None), (5, 6), (7, None)]
    for hour, until in asked:
        muted = one(found, datetime(2026, 11, 24, hour, tzinfo=UTC), a="b").muted
        assert (muted and muted.until and muted.until.hour) == until


def test_why_not() -> None:
    found = tree({"name": "databases", "matchers": ["x=y", "service=db"]}, *DEEP)
    refused = why_not(found, {"service": "db", "severity": "critical", "x": "y"})
    assert [(refusal.step.path, refusal.taken_by) for refusal in refused] == [
        (f"route.routes[{place}]", "route.routes[0]") for place in (1, 2, 3)
    ]
    refused = why_not(found, {"service": "db", "severity": "warning", "x": "z"})
    assert [(refusal.step.path, str(refusal.matcher), refusal.value) for refusal in refused] == [
        ("route.routes[0]", 'x="y"', "z"),
        ("route.routes[1].routes[0]", 'severity="critical"', "warning"),
        ("route.routes[1].routes[1]", 'severity=~"critical|error"', "warning"),
        ("route.routes[2]", "None", ""),
        ("route.routes[3]", "None", ""),
    ]


VALUES = ("", "a", "b", "ab", "c\n", "a|b")
MATCHERS = (
    '{}="a"',
    '{}!="a"',
    '{}=~"a|b"',
    '{}=~"^(a|b)$"',
    '{}=~"a.*"',
    '{}!~"a|b"',
    '{}=""',
    '{}=~"|a"',
    '{}=~"."',
)


def grown(chance: random.Random, depth: int) -> dict[str, Any]:
    names = chance.sample(["x", "y", "z"], chance.randint(0, 2))
    found: dict[str, Any] = {
        "matchers": [chance.choice(MATCHERS).format(name) for name in names],
        "continue": chance.random() < 0.3,
    }
    if depth:
        found["routes"] = [grown(chance, depth - 1) for _ in range(chance.randint(0, 5))]
    return found


def walked(route: Route, labels: dict[str, str], path: str = "route") -> list[str]:
    """The rule as it is told, with no index and no memory."""
    found: list[str] = []
    for place, child in enumerate(route.routes):
        if match_all(child.conditions(), labels):
            found += walked(child, labels, f"{path}.routes[{place}]")
            if not child.continues:
                break
    return found or [path]


@pytest.mark.parametrize("seed", range(20))
def test_an_index_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    below = [grown(chance, 2) for _ in range(8)]
    routing = document.read({"route": {"channels": ["x"], "routes": below}})
    compiled = compile_tree(routing)
    for _ in range(100):
        labels = {
            name: chance.choice(VALUES) for name in chance.sample(["x", "y", "z"], chance.randint(0, 3))
        }
        assert [one.route for one in resolve(compiled, labels, NOON)] == walked(routing.route, labels)


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ({"receiver": None}, "route: the root route must say who"),
        ({"matchers": ["a=b"]}, "route: the root route must not have any matchers"),
        ({"continue": True}, "route.continue: the root route has no routes after it"),
        ({"mute_time_intervals": ["nights"]}, "route.mute_time_intervals: the root route must not"),
        ({"active_time_intervals": ["nights"]}, "route.active_time_intervals: the root route must not"),
        ({"routes": [{"receiver": "nobody"}]}, "route.routes[0].receiver: undefined receiver 'nobody'"),
        ({"routes": [{"mute_time_intervals": ["x"]}]}, "undefined time interval 'x'"),
        ({"routes": [{"matchers": ["a~b"]}]}, "route.routes[0].matchers[0]: bad matcher format"),
        ({"routes": [{"matchers": ["a=~("]}]}, "error parsing regexp"),
        ({"routes": [{"match_re": {"a": "("}}]}, "route.routes[0].match_re.a: error parsing regexp"),
        ({"routes": [{"match": {"a-b": "c"}}]}, "route.routes[0].match.a-b"),
        ({"group_wait": "soon"}, "route.group_wait: 'soon' is no duration"),
        ({"group_interval": "0s"}, "route.group_interval"),
        ({"repeat_interval": 0}, "route.repeat_interval"),
        ({"group_by": ["...", "a"]}, "route.group_by: '...' is for all labels"),
        ({"group_by": ["a", "a"]}, "the label 'a' stands here twice"),
        ({"recever": "chat"}, "route.recever: there is no such field"),
        ({"channels": ["slack"]}, "a route has a receiver or channels, not both"),
    ],
)
def test_what_is_wrong_is_named(route: dict[str, Any], said: str) -> None:
    with pytest.raises(Unsound) as error:
        tree(**{"receiver": "chat", **route}) if "routes" not in route else tree(*route["routes"])
    assert said in str(error.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Unsound) as error:
        tree({"group_wait": "x"}, {"matchers": ["a"]}, {"colour": "red"})
    assert len(error.value.problems) == 3


@pytest.mark.parametrize(
    ("document_", "said"),
    [
        ({"route": {"channels": []}, "time_intervals": [HOURS[0], HOURS[0]]}, "another time interval named"),
        ({"route": {"channels": []}, "time_intervals": HOURS}, "undefined list of holidays 'closed'"),
        ({"route": {"channels": []}, "holidays": {"x": ["02-30"]}}, "holidays.x[0]: '02-30' is no date"),
        ({}, "route: it is missing"),
        ([], "should be a valid dictionary"),
    ],
)
def test_what_else_is_wrong_is_named(document_: Any, said: str) -> None:
    with pytest.raises(Unsound) as error:
        document.read(document_)
    assert said in str(error.value)


def test_what_nobody_writes_is_refused() -> None:
    nested: dict[str, Any] = {"channels": []}
    for _ in range(500):
        nested = {"channels": [], "routes": [nested]}
    wide = {"channels": [], "routes": [{"matchers": ["a=b"]}] * 5_001}
    for route in (nested, wide):
        with pytest.raises(Unsound, match="more than 5,000 routes"):
            document.read({"route": route})
