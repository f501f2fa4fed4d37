"""Routes put in force out of files, with the channels that they need."""

import pytest

from tests.notify.routing.files import FIXTURES
from tests.web import rows
from tocsin.core.errors import Unknown
from tocsin.notify import loading, routes
from tocsin.notify.models import NotificationChannel, RoutingTree
from tocsin.notify.routing import alertmanager
from tocsin.notify.routing.lines import Unsound

pytestmark = pytest.mark.django_db

SMALL = """\
route:
  receiver: chat
  routes:
    - matchers: [team="web"]
      receiver: web
      group_by: [instance]
receivers:
  - name: chat
    slack_configs:
      - api_url: https://hooks.slack.com/services/T0/B0/s3cret
        send_resolved: true
  - name: web
    webhook_configs:
      - url_file: /nowhere
"""


def test_an_alertmanager_yml_makes_its_channels() -> None:
    brought = loading.read(SMALL)
    assert [(plan.name, plan.becomes) for plan in loading.plans(brought, loading.names())] == [
        ("chat", "new"),
        ("web", "incomplete"),
    ]
    assert loading.missing(brought, loading.names()) == []
    done = loading.put(brought=brought, made_by="alice", note="alertmanager.yml", now=rows.NOW)
    chat, web = NotificationChannel.objects.order_by("name")
    assert chat.config == {"webhook_url": "https://hooks.slack.com/services/T0/B0/s3cret"}
    assert (chat.enabled, chat.send_resolved, web.enabled) == (True, True, False)
    assert routes.newest() == RoutingTree.objects.get(pk=done.tree)
    assert "s3cret" not in str(RoutingTree.objects.get().document)


def test_channels_that_are_there_stay_as_they_are() -> None:
    rows.channel("chat", url="https://mine.example/")
    again = loading.read(SMALL)
    assert loading.put(brought=again, made_by="", now=rows.NOW).channels[0].becomes == "there"
    assert NotificationChannel.objects.get(name="chat").driver == "webhook"


def test_every_example_can_be_put_in_force() -> None:
    for file in sorted(FIXTURES.glob("*.yml")):
        loading.put(brought=loading.read_file(file), made_by="", now=rows.NOW)
        assert routes.in_force() is not None
        assert loading.drawn(RoutingTree.objects.latest("pk"))


def test_a_tree_of_ours_with_its_lines() -> None:
    brought = loading.read("routing:\n  route:\n    channels: [chat]\n    group_wait: 10s\n")
    assert (brought.kind, loading.missing(brought, loading.names())) == ("routes", ["chat"])
    loading.put(brought=brought, made_by="", now=rows.NOW)
    assert RoutingTree.objects.get().document == {"route": {"channels": ["chat"], "group_wait": 10}}
    with pytest.raises(Unsound, match="line 3: routing.route.chanels: there is no such field"):
        loading.read("routing:\n  route:\n    chanels: [chat]\n")
    for text in ("", "[]", "just words", '{"route": 1}'):
        with pytest.raises(Unsound):
            loading.read(text)


def test_one_of_before_is_put_in_force_again() -> None:
    first = loading.put(brought=loading.read("route: {channels: [a]}"), made_by="", now=rows.NOW)
    routes.put(given=None, made_by="", now=rows.NOW)
    assert routes.in_force() is None
    used = routes.use(tree_id=first.tree, made_by="bob", now=rows.NOW)
    assert (used.note, used.made_by) == (f"as of tree {first.tree}", "bob")
    assert routes.in_force() is not None
    with pytest.raises(Unknown):
        routes.use(tree_id=0, made_by="", now=rows.NOW)


def group_by(document: str, **labels: str) -> object:
    loading.put(brought=loading.read(document), made_by="", now=rows.NOW)
    found = routes.in_force()
    assert found is not None
    grouped = found.group_by(labels)
    return None if grouped is None else grouped[0]


def test_nothing_said_of_groups_is_not_the_same_as_one_group() -> None:
    """Alertmanager makes one group of a route without labels to group by; ours leaves it to the setting."""
    assert group_by(SMALL, a="1") == ()
    assert group_by(SMALL, team="web") == ("instance",)
    assert alertmanager.read(SMALL).routing.route.group_by == []
    assert group_by("route: {channels: [a]}", a="1") is None
    assert group_by("route: {channels: [a], group_by: []}", a="1") == ()
    below = "route: {channels: [a], routes: [{matchers: [b=1], group_by: []}]}"
    assert group_by(below, b="1") == ()
    assert group_by(below, b="2") is None
    assert group_by("route: {channels: [a], group_by: ['...']}", b="2", c="3") == ("b", "c")


def test_a_name_that_no_channel_can_have() -> None:
    bad = 'route: {receiver: "a\\tb"}\nreceivers: [{name: "a\\tb", webhook_configs: [{url: "http://x/"}]}]'
    with pytest.raises(Unsound, match="line 2: .*is no name for a channel"):
        loading.read(bad)
