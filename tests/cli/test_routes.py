"""Routes by command: what a file comes to, who gets an alert, and tests of that."""

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tests.notify.routing.files import FIXTURES
from tocsin.notify.models import NotificationChannel, RoutingTree

SHOP = str(FIXTURES / "shop.yml")
TESTS = """\
config: shop.yml
tests:
  - {name: databases, labels: {service: mysql}, expect: {receivers: [dba]}}
  - {name: the web, labels: {team: web}, expect: {receivers: [chat]}}
"""


def failing(*arguments: str) -> str:
    """What a command prints that ends with 1."""
    out = StringIO()
    with pytest.raises(SystemExit) as error:
        call_command(*arguments, stdout=out)
    assert error.value.code == 1
    return out.getvalue()


def failing_json(*arguments: str) -> Any:
    return json.loads(failing(*arguments, "--json"))


def test_a_file_is_drawn_and_what_is_lost_is_told() -> None:
    told = tocsin("routes", "check", SHOP)
    for shown in (
        '├─ {service=~"mysql|postgres"}  → dba',
        "dba slack  dba       slack",
        "line 65  receivers[3].webhook_configs[0].http_config.proxy_url",
        "requests are made without it; instead:",
        "✓ It can be read. 8 routes, 5 channels, 14 notes; inhibit rules: 1.",
    ):
        assert shown in told
    found = tocsin_json("routes", "check", SHOP)
    assert (found["valid"], found["problems"], len(found["tree"])) == (True, [], 8)
    assert "letmein" not in told + json.dumps(found)


def test_a_wrong_file_ends_with_1(tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text("route: {receiver: a}\nreceivers: [{name: b}]\n")
    found = failing_json("routes", "check", str(file))
    assert "✗ line 1: route.receiver: undefined receiver 'a'" in failing("routes", "check", str(file))
    assert found["problems"] == [{"line": 1, "path": "route.receiver", "message": "undefined receiver 'a'"}]


def test_who_gets_an_alert() -> None:
    at = "2026-11-23T23:00:00+01:00"
    told = tocsin("routes", "test", "--config", SHOP, "--at", at, "team=web", "path=/api/=")
    for shown in (
        '– web is told: it matched route.routes[1] by {team="web",severity!="info"}.',
        "Nothing is sent now: muted by nights, until 2026-11-24 05:00:00 UTC (for 7 h).",
        "✓ pager is told",
        'route.routes[0] did not match: it asks for service=~"mysql|postgres", and service is not there.',
    ):
        assert shown in told
    found = tocsin_json("routes", "test", "--config", SHOP, "--at", at, "team=web", "path=/api/=")
    assert [(one["receiver"], one["muted"]) for one in found["taken"]] == [("web", True), ("pager", False)]
    assert found["taken"][1]["group"] == {"team": "web", "path": "/api/="}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "nowhere.yml"), "cannot read nowhere.yml: No such file"),
        (("test", "--config", "nowhere.yml", "a=b"), "cannot read nowhere.yml"),
        (("test", "--config", SHOP, "team"), "'team' is no label: write it as label=value"),
        (("test", "--config", SHOP, "a=b", "--at", "noon"), "--at: 'noon' is no time"),
    ],
)
def test_what_cannot_be_done(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        tocsin("routes", *arguments)


def test_tests_in_files(tmp_path: Path) -> None:
    shutil.copy(SHOP, tmp_path)
    good, bad, none = tmp_path / "good.yml", tmp_path / "bad.yml", tmp_path / "none.yml"
    bad.write_text(TESTS)
    good.write_text(TESTS.replace("[chat]", "[web]"))
    assert tocsin("test_routes", str(good)) == f"{good}\n  ✓ databases\n  ✓ the web\n2 passed, 0 failed.\n"
    told = failing("test_routes", str(good), str(bad), str(none))
    for shown in (
        "✗ the web line 4",
        "expected [chat], it is [web]",
        "3 passed, 1 failed, 1 files could not be run.",
    ):
        assert shown in told
    found = failing_json("test_routes", str(good), str(bad), str(none))
    assert [[one["passed"] for one in report["outcomes"]] for report in found] == [
        [True, True],
        [True, False],
        [],
    ]
    assert found[1]["outcomes"][1]["failures"] == ["receivers: expected [chat], it is [web]"]
    assert found[2]["problems"] == ["cannot read it: No such file or directory"]


@pytest.mark.django_db
def test_put_in_force_shown_and_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "routes.yml"
    file.write_text("route:\n  channels: [chat]\n  routes:\n    - {matchers: [team=web], channels: []}\n")
    assert "everybody gets everything" in tocsin("routes", "show")
    with pytest.raises(CommandError, match="no routes are in force"):
        tocsin("routes", "test", "team=web")
    dry = tocsin("routes", "load", str(file), "--dry-run")
    assert "It can be read." in dry and "Nobody has these channels: chat." in dry
    assert not RoutingTree.objects.exists()
    loaded = tocsin_json("routes", "load", str(file))
    assert loaded["in_force"] == RoutingTree.objects.get().pk
    told = tocsin("routes", "show")
    assert '└─ {team="web"}  → nobody' in told and "routes.yml" in told and "(command)" in told
    assert tocsin_json("routes", "test", "team=web")["taken"][0]["channels"] == []
    assert "everybody gets everything" in tocsin("routes", "off")
    assert len(tocsin_json("routes", "history")["trees"]) == 2
    used = tocsin_json("routes", "use", str(loaded["in_force"]))
    assert used["routing"] == RoutingTree.objects.get(pk=loaded["in_force"]).document
    assert f"as of tree {loaded['in_force']}" in tocsin("routes", "history")
    with pytest.raises(CommandError, match="there is no tree 999"):
        tocsin("routes", "use", "999")
    file.write_text("route: {chanels: []}")
    assert "line 1: route.chanels: there is no such field" in failing("routes", "load", str(file))


@pytest.mark.django_db
def test_an_alertmanager_yml_brings_its_channels() -> None:
    found = tocsin_json("routes", "load", SHOP)
    assert {one["becomes"] for one in found["channels"]} <= {"new", "incomplete"}
    assert NotificationChannel.objects.count() == len(found["channels"]) == 5
    assert "is there already" in tocsin("routes", "load", SHOP)
    assert "letmein" not in json.dumps(found)
