"""Who gets what, why, why not and when, in sentences; and the tree as text."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.notify.routing.files import FIXTURES
from tocsin.notify.routing import alertmanager, document, story
from tocsin.notify.routing.tree import compile_tree, resolve, why_not

NIGHT = datetime(2026, 11, 23, 23, tzinfo=UTC)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHOP = alertmanager.read_file(FIXTURES / "shop.yml").routing


def told(at: datetime, **labels: str) -> list[list[str]]:
    return [story.story(one, labels, at) for one in resolve(compile_tree(SHOP), labels, at)]


def test_who_gets_it_and_why() -> None:
    first, second = told(NOON, service="mysql", severity="critical", owner="ann", cluster="eu")
    assert first == [
        'pager is told: it matched route.routes[0] by {service=~"mysql|postgres"}, '
        'then route.routes[0].routes[0] by {severity="critical"}.',
        'Its group is that of cluster="eu".',
        "A new group is told after 10 s, its news each 5 min, the same again after 4 h.",
    ]
    assert second[0].startswith("dba is told (by dba email, dba slack): it matched")


def test_nobody_else_took_it() -> None:
    assert told(NOON, team="x")[0][0] == "chat is told: no other route took it, so the root does."


def test_hours() -> None:
    [web] = told(NIGHT, team="web")
    assert web[-1] == "Nothing is sent now: muted by nights, until 2026-11-24 05:00:00 UTC (for 6 h)."
    [web] = told(NOON, team="web")
    assert web[-1] == "It is not muted, until 2026-11-23 21:00:00 UTC (for 9 h)."
    [quiet] = told(NIGHT, severity="info")
    assert quiet[0].startswith("nobody is told by no channel: it matched")
    assert quiet[-1].startswith(
        "Nothing is sent now: outside of office, saturdays, until 2026-11-24 09:00:00"
    )
    [quiet] = told(NOON, severity="info")
    assert quiet[-1] == "It is within office, until 2026-11-23 17:00:00 UTC (for 5 h)."


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ({"group_by": ["..."]}, "Each set of labels is a group of its own."),
        ({"group_by": []}, "All alerts of this route are one group."),
        ({"group_by": ["x", "y"]}, "Its group has no x and no y."),
        ({"group_by": ["a"]}, 'Its group is that of a="b".'),
        ({"group_wait": 0}, "A new group is told at once, its news each 5 min, the same again after 4 h."),
        ({"channels": []}, "Nobody is told: no other route took it, so the root does."),
        ({"channels": ["x", "y"]}, "x, y are told: no other route took it, so the root does."),
    ],
)
def test_sentences(route: dict[str, Any], said: str) -> None:
    tree = compile_tree(document.read({"route": {"channels": ["chat"], **route}}))
    [decision] = resolve(tree, {"a": "b"}, NOON)
    assert said in story.story(decision, {"a": "b"}, NOON)


def test_why_not() -> None:
    found = [story.refusal(one) for one in why_not(compile_tree(SHOP), {"service": "mysql", "severity": "x"})]
    assert found[:3] == [
        'route.routes[0].routes[0] did not match: it asks for severity="critical", and severity is "x".',
        'route.routes[0].routes[1] did not match: it asks for severity=~"critical|error", '
        'and severity is "x".',
        "route.routes[1] was not asked: route.routes[0] took it, and does not continue.",
    ]
    found = [story.refusal(one) for one in why_not(compile_tree(SHOP), {})]
    assert 'route.routes[1] did not match: it asks for team="web", and team is not there.' in found


def test_the_tree_as_text() -> None:
    assert story.draw(SHOP) == [
        "route  → chat  group by alertname, cluster  wait 30 s  interval 5 min  repeat 4 h",
        '├─ {service=~"mysql|postgres"}  → dba  group by alertname, cluster, database  wait 10 s',
        '│  ├─ {severity="critical"}  → pager  continue',
        '│  └─ {severity=~"critical|error",owner!=""}  → dba',
        '├─ {team="web",severity!="info"}  → web  continue  mute nights',
        '├─ {team="web",path=~"/api/.*"}  → pager  group by all labels',
        '├─ {severity=~"info|debug"}  → nobody  active office, saturdays',
        '└─ {instance!~"web-.*",team=""}  → lonely  repeat 1 d 12 h',
    ]
