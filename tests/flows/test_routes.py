"""Who gets what, when, by a routing tree in force."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes import slack as fake
from tests.fakes.receiver import Receiver
from tests.fakes.receiver import receiver as another
from tests.fakes.slack import Slack
from tests.world import World
from tocsin.alerts import services as alerts
from tocsin.alerts.models import Incident
from tocsin.notify import routes
from tocsin.notify import services as notify
from tocsin.notify.models import Delivery, NotificationChannel, RoutingTree
from tocsin.orchestration import definitions, services

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = {"group_wait": "0s", "group_interval": "1s"}


@pytest.fixture
def night(world: World) -> Iterator[Receiver]:
    """A second receiver, behind the channel ``night``."""
    with another() as here:
        world.channel("day")
        world.channel("night", url=here.url)
        yield here


@pytest.fixture
def slack() -> Iterator[Slack]:
    with fake.slack() as here:
        yield here


def in_force(world: World, route: dict[str, Any], **more: Any) -> None:
    routes.put(given={"route": route, **more}, made_by="test", now=world.now)


def titles(receiver: Receiver) -> list[str]:
    return [f"{request.json['kind']} {request.json['title']}" for request in receiver.received]


def test_the_route_that_matches_says_who_is_told(world: World, night: Receiver) -> None:
    critical = {"matchers": ["severity=critical"], "channels": ["night"]}
    in_force(world, {"channels": ["day"], "routes": [critical], **AT_ONCE})
    world.fire("Calm", severity="warning")
    world.fire("Loud", severity="critical")
    world.work()
    assert titles(world.receiver) == ["firing Calm on web-1"]
    assert titles(night) == ["firing Loud on web-1"]
    stage = Incident.objects.get(title__startswith="Loud").runs.get().stages.get(type="notify")
    assert stage.output["deliveries"][0]["route"] == "route route.routes[0]"


def test_with_continue_several_are_told(world: World, night: Receiver) -> None:
    both = [{"channels": ["night"], "continue": True}, {"channels": ["day"]}]
    in_force(world, {"channels": [], "routes": both, **AT_ONCE})
    world.fire()
    world.work()
    assert titles(world.receiver) == titles(night) == ["firing HighCPU on web-1"]


def test_without_a_channel_the_run_says_why(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["gone"], "name": "top"})
    world.fire()
    world.work()
    stage = world.incident().runs.get().stages.get(type="notify")
    assert stage.output["reason"] == "of the channels of route top (gone) none is enabled"


def test_a_route_taken_away_leaves_everybody_told(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["day"], **AT_ONCE})
    routes.put(given=None, made_by="test", now=world.now)
    world.fire()
    world.work()
    assert titles(world.receiver) == titles(night)


def test_a_group_waits_for_more_and_is_told_as_one(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["day"], "group_by": ["alertname"], "group_wait": "30s"})
    for number in range(3):
        world.fire(instance=f"web-{number}")
        world.work()
        world.now = world.now.replace(second=world.now.second + 5)
    assert titles(world.receiver) == []
    world.forward(seconds=30)
    [told] = world.sent
    assert len(told["alerts"]) == 3
    assert Incident.objects.count() == 1


def test_what_comes_later_waits_for_the_next_turn(world: World, night: Receiver) -> None:
    in_force(
        world, {"channels": ["day"], "group_by": ["alertname"], "group_wait": "0s", "group_interval": "5m"}
    )
    world.fire()
    world.work()
    world.fire(instance="web-2")
    world.forward(minutes=1)
    world.fire(instance="web-3")
    world.forward(minutes=1)
    assert len(world.sent) == 1
    world.forward(minutes=4)
    assert len(world.sent) == 2
    assert len(world.sent[1]["alerts"]) == 2


def test_what_is_over_before_anybody_was_to_be_told_is_not_told(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["day"], "group_wait": "30s"})
    world.fire()
    world.work()
    world.resolve()
    world.work()
    world.forward(minutes=2)
    assert titles(world.receiver) == []
    assert set(Delivery.objects.values_list("state", "folded_into", "answer")) >= {
        ("folded", "", "it was over before anybody was to be told")
    }
    world.fire()
    world.forward(minutes=1)
    world.forward(minutes=10)
    assert titles(world.receiver) == ["firing HighCPU on web-1"]


def test_the_end_is_told_at_the_groups_next_turn(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["day"], "group_wait": "0s", "group_interval": "5m"})
    world.fire()
    world.work()
    world.resolve()
    world.forward(minutes=1)
    assert world.kinds() == ["firing"]
    world.forward(minutes=5)
    assert world.kinds() == ["firing", "resolved"]


def test_it_is_said_again_until_somebody_is_on_it(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["day"], "group_wait": "0s", "repeat_interval": "1h"})
    world.fire()
    world.work()
    world.forward(minutes=61)
    world.forward(minutes=61)
    assert [told["reason"] for told in world.sent] == ["fired", "repeat", "repeat"]
    services.acknowledge(incident_id=world.incident().pk, actor="Anna", now=world.now)
    world.forward(hours=5)
    world.resolve()
    world.forward(hours=5)
    assert [told["reason"] for told in world.sent] == ["fired", "repeat", "repeat", "resolved"]


NIGHTS = {
    "time_intervals": [
        {"name": "nights", "time_intervals": [{"times": [{"start_time": "22:00", "end_time": "24:00"}]}]}
    ]
}


def test_what_is_muted_is_told_when_the_muting_ends(world: World, night: Receiver) -> None:
    world.now = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
    in_force(world, {"channels": ["night"], "routes": [
        {"channels": ["day"], "mute_time_intervals": ["nights"], "group_wait": "0s"}
    ]}, **NIGHTS)  # fmt: skip
    world.fire()
    world.work()
    world.fire("Brief")
    world.forward(minutes=5)
    world.resolve("Brief")
    world.forward(minutes=5)
    assert titles(world.receiver) == []
    stage = Incident.objects.get(title__startswith="High").runs.get().stages.get(type="notify")
    assert stage.output["deliveries"][0]["muted"] == "muted by nights until 2026-11-22 00:00 UTC"
    world.forward(hours=2)
    assert titles(world.receiver) == ["firing HighCPU on web-1"]


def test_nothing_is_said_again_while_muted(world: World, night: Receiver) -> None:
    world.now = datetime(2026, 11, 21, 21, 30, tzinfo=UTC)
    in_force(world, {"channels": [], "routes": [
        {"channels": ["day"], "mute_time_intervals": ["nights"], "group_wait": "0s", "repeat_interval": "1h"}
    ]}, **NIGHTS)  # fmt: skip
    world.fire()
    world.work()
    world.forward(hours=1)
    assert len(world.sent) == 1
    world.forward(hours=1, minutes=31)
    assert [told["reason"] for told in world.sent] == ["fired", "repeat"]


def test_groups_of_different_routes_are_apart(world: World, night: Receiver) -> None:
    web = {"matchers": ["team=web"], "channels": ["day"], "group_by": ["cluster"]}
    rest = {"channels": ["night"], "group_by": ["cluster"]}
    in_force(world, {"channels": [], "routes": [web, rest], **AT_ONCE})
    world.fire(labels={"team": "web", "cluster": "a"})
    world.fire("Other", labels={"team": "db", "cluster": "a"})
    world.work()
    assert Incident.objects.count() == 2


def test_all_labels_make_a_group(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["day"], "group_by": ["..."], **AT_ONCE})
    world.fire(labels={"instance": "web-1", "disk": "a"})
    world.fire(labels={"instance": "web-1", "disk": "b"})
    world.work()
    assert Incident.objects.count() == 2


def test_where_the_tree_does_not_group_the_setting_does(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["day"], **AT_ONCE})
    world.fire(labels={"instance": "web-1", "disk": "a"})
    world.fire(labels={"instance": "web-1", "disk": "b"})
    world.work()
    assert Incident.objects.get().labels == {"alertname": "HighCPU", "instance": "web-1"}


def test_a_definition_that_names_channels_asks_no_route(world: World, night: Receiver) -> None:
    document = {"version": "1.0", "nodes": [{"id": "n", "type": "notify", "config": {"channels": ["night"]}}]}
    definitions.put(name="mine", document=document, now=world.now)
    in_force(world, {"channels": ["day"], "group_wait": "1h"})
    world.fire()
    world.work()
    assert (titles(world.receiver), titles(night)) == ([], ["firing HighCPU on web-1"])


def test_a_tree_that_is_wrong_is_not_put_in_force(world: World, night: Receiver) -> None:
    with pytest.raises(Exception, match="channels"):
        in_force(world, {"matchers": ["a=b"]})
    assert routes.in_force() is None
    assert NotificationChannel.objects.count() == 2


# What is not held back, and who hears of the end.


def held(world: World, **more: Any) -> None:
    in_force(world, {"channels": ["day"], "group_wait": "0s", "group_interval": "5m"}, **more)


def test_who_takes_it_on_does_not_wait_for_the_groups_next_turn(world: World, slack: Slack) -> None:
    world.channel("day", driver="slack", **slack.config)
    held(world)
    world.fire()
    world.work()
    world.fire(severity="critical")
    world.work()
    services.acknowledge(incident_id=world.incident().pk, actor="Anna", now=world.now)
    world.forward(seconds=10)
    [(ts, head)] = slack.heads.items()
    assert "Anna is on it" in str(head)
    assert [reply["text"] for reply in slack.replies[ts]] == ["[ACKNOWLEDGED] HighCPU on web-1"]
    world.forward(minutes=10)
    assert len(slack.replies[ts]) == 1, "what was held back went with it"


def test_who_takes_on_what_nobody_was_told_yet_is_told_with_it(world: World, slack: Slack) -> None:
    world.channel("day", driver="slack", **slack.config)
    in_force(world, {"channels": ["day"], "group_wait": "5m"})
    world.fire()
    world.work()
    services.acknowledge(incident_id=world.incident().pk, actor="Anna", now=world.now)
    world.forward(minutes=1)
    assert not slack.heads
    world.forward(minutes=5)
    [(ts, head)] = slack.heads.items()
    assert "Anna is on it" in str(head)
    assert ts not in slack.replies


def test_what_no_route_holds_back_waits_for_nothing_that_one_does(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["day"], "group_wait": "1h"})
    world.fire()
    world.work()
    document = {"version": "1.0", "nodes": [{"id": "n", "type": "notify", "config": {"channels": ["day"]}}]}
    definitions.put(name="mine", document=document, now=world.now)
    world.fire(severity="critical")
    world.work()
    [told] = world.sent
    assert told["severity"] == "critical"
    world.forward(hours=2)
    assert len(world.sent) == 1


def test_who_was_told_hears_of_the_end_though_the_route_leads_elsewhere(
    world: World, night: Receiver
) -> None:
    critical = {"matchers": ["severity=critical"], "channels": ["night"], **AT_ONCE}
    in_force(world, {"channels": ["day"], "routes": [critical], **AT_ONCE})
    world.fire(severity="warning")
    world.work()
    world.fire(severity="critical")
    world.forward(seconds=5)
    assert (titles(world.receiver), titles(night)) == (["firing HighCPU on web-1"],) * 2
    world.resolve(severity="critical")
    world.forward(seconds=5)
    both = ["firing HighCPU on web-1", "resolved HighCPU on web-1"]
    assert (titles(world.receiver), titles(night)) == (both, both)
    stage = world.incident().runs.latest("pk").stages.get(type="notify")
    assert {one["route"] for one in stage.output["deliveries"]} == {
        "route route.routes[0]", "no route any more, but it was told before"
    }  # fmt: skip


def test_who_was_told_before_there_were_routes_hears_of_the_end(world: World, night: Receiver) -> None:
    world.fire()
    world.work()
    in_force(world, {"channels": ["night"], **AT_ONCE})
    world.resolve()
    world.forward(seconds=5)
    assert titles(world.receiver) == titles(night)
    assert world.kinds() == ["firing", "resolved"]


def test_the_end_of_what_a_channel_was_to_be_told_on_another_route_is_not_told(
    world: World, night: Receiver
) -> None:
    critical = {"matchers": ["severity=critical"], "channels": ["night"], "group_wait": "0s"}
    in_force(world, {"channels": ["day"], "group_wait": "5m", "routes": [critical]})
    world.fire(severity="warning")
    world.work()
    world.fire(severity="critical")
    world.forward(seconds=5)
    world.resolve(severity="critical")
    world.forward(minutes=10)
    assert (titles(world.receiver), titles(night)[:1]) == ([], ["firing HighCPU on web-1"])


def test_the_end_is_told_though_retention_let_go_of_what_was_told(world: World, night: Receiver) -> None:
    held(world)
    world.fire()
    world.work()
    Delivery.objects.all().delete()
    world.resolve()
    world.forward(minutes=10)
    assert world.kinds() == ["firing", "resolved"]


def test_a_storm_on_a_route_is_one_message(world: World, slack: Slack) -> None:
    channel = world.channel("day", driver="slack", **slack.config)
    NotificationChannel.objects.filter(pk=channel.pk).update(digest_above=5)
    in_force(world, {"channels": ["day"], "group_wait": "30s"})
    for number in range(20):
        world.fire(instance=f"web-{number}")
    world.work()
    world.forward(seconds=31)
    assert [head["text"].split(":")[0] for head in slack.heads.values()] == [
        "[DIGEST] 20 alerts of 20 incidents in 31 s"
    ]
    for number in range(3):
        world.resolve(instance=f"web-{number}")
    world.forward(minutes=10)
    assert len(slack.heads) == 4, "who was told by a digest hears of the end"


def test_who_lets_go_of_it_has_it_said_again(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["day"], "group_wait": "0s", "repeat_interval": "1h"})
    world.fire()
    world.work()
    incident = world.incident()
    services.acknowledge(incident_id=incident.pk, actor="Anna", now=world.now)
    world.forward(minutes=61)
    alerts.unacknowledge(incident_id=incident.pk, actor="Anna", now=world.now, trace_id="t")
    world.forward(minutes=61)
    assert [told["reason"] for told in world.sent] == ["fired", "repeat"]


def test_nothing_piles_up_for_a_channel_that_is_off(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["day"], "group_wait": "0s", "repeat_interval": "1h"})
    world.fire()
    world.work()
    notify.enable_channel(name="day", enabled=False)
    for _ in range(3):
        world.forward(minutes=61)
    assert Delivery.objects.count() == 1
    notify.enable_channel(name="day", enabled=True)
    world.forward(minutes=61)
    assert [told["reason"] for told in world.sent] == ["fired", "repeat"]


def test_nothing_is_said_again_without_routes(world: World, night: Receiver) -> None:
    in_force(world, {"channels": ["day"], "group_wait": "0s", "repeat_interval": "1h"})
    world.fire()
    world.work()
    routes.put(given=None, made_by="test", now=world.now)
    world.forward(hours=3)
    assert len(world.sent) == 1


def test_routes_of_a_newer_version_cost_nobody_the_alert(world: World, night: Receiver) -> None:
    RoutingTree.objects.create(document={"of": "tomorrow"}, digest="d", made_by="test", created_at=world.now)
    world.fire()
    world.work()
    assert world.incident().labels == {"alertname": "HighCPU", "instance": "web-1"}
