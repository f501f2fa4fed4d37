"""How channels are served: one thread a problem, no more than a service takes, storms as one message, what
stands in for a channel that refuses, and who hears of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes import slack as fake
from tests.fakes.receiver import Answer, Receiver
from tests.fakes.receiver import receiver as another
from tests.fakes.slack import Slack
from tests.world import World
from tocsin.alerts import services as alerts
from tocsin.alerts.events import FeedEvent
from tocsin.alerts.intake.beside import Told
from tocsin.alerts.models import Alert
from tocsin.fleet import feed
from tocsin.notify.models import ChannelPace, Delivery, DriverTemplates, NotificationChannel, Thread
from tocsin.notify.pace import FAILURES_TO_OPEN
from tocsin.orchestration import definitions, services

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def slack() -> Iterator[Slack]:
    with fake.slack() as here:
        yield here


@pytest.fixture
def spare() -> Iterator[Receiver]:
    with another() as here:
        yield here


def by_slack(world: World, slack: Slack, **terms: Any) -> NotificationChannel:
    """A channel by Slack's bot."""
    channel = world.channel("slack", driver="slack", **slack.config)
    NotificationChannel.objects.filter(pk=channel.pk).update(**terms)
    return channel


def states() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


# One thread a problem.


def test_an_incident_is_one_message_that_follows_it(world: World, slack: Slack) -> None:
    by_slack(world, slack)
    world.fire()
    world.work()
    services.acknowledge(incident_id=world.incident().pk, actor="Anna", now=world.now)
    world.forward(minutes=1)
    [(ts, head)] = slack.heads.items()
    assert "Anna is on it" in str(head)
    world.resolve()
    world.forward(minutes=1)
    [(ts, head)] = slack.heads.items()
    assert head["attachments"][0]["color"] == "#2e9e5b"
    assert [reply["text"] for reply in slack.replies[ts]] == [
        "[ACKNOWLEDGED] HighCPU on web-1", "[RESOLVED] HighCPU on web-1"
    ]  # fmt: skip
    assert Thread.objects.get().handle == {"channel": fake.CHANNEL, "ts": ts}


def test_the_head_shows_all_alerts_and_the_thread_what_changed(world: World, slack: Slack) -> None:
    by_slack(world, slack)
    for disk in ("/", "/var", "/home"):
        world.fire(
            "DiskFull", labels={"instance": "web-1", "disk": disk}, annotations={"summary": f"{disk} is full"}
        )
        world.forward(minutes=1)
    [(ts, head)] = slack.heads.items()
    assert all(f"{disk} is full" in str(head) for disk in ("/", "/var", "/home"))
    assert "/home is full" in str(slack.replies[ts][-1])
    assert "/var is full" not in str(slack.replies[ts][-1])


def test_who_lets_go_of_an_incident_is_on_it_no_more(world: World, slack: Slack) -> None:
    by_slack(world, slack)
    world.post({"name": "HighCPU", "status": "firing", "labels": {"instance": "web-1"}})
    world.work()
    incident = world.incident()
    services.acknowledge(incident_id=incident.pk, actor="Anna", now=world.now)
    world.forward(seconds=10)
    alerts.unacknowledge(incident_id=incident.pk, actor="Anna", now=world.now, trace_id="t")
    world.forward(minutes=1)
    [head] = slack.heads.values()
    assert "on it any more" in str(head)
    assert head["attachments"][0]["color"] != "#6b7280"


def test_a_channel_that_only_posts_is_not_told_who_is_on_it(world: World) -> None:
    world.channel()
    world.fire()
    world.work()
    services.acknowledge(incident_id=world.incident().pk, actor="Anna", now=world.now)
    world.forward(minutes=1)
    assert world.kinds() == ["firing"]


# No more than a service takes.


def test_what_a_service_has_no_room_for_waits(world: World, slack: Slack) -> None:
    by_slack(world, slack, digest_above=0)
    for number in range(8):
        world.fire(instance=f"web-{number}")
    world.work()
    assert len(slack.heads) == 5, "the burst that Slack allows"
    world.forward(seconds=1)
    assert len(slack.heads) == 6
    world.forward(seconds=10)
    assert len(slack.heads) == 8
    assert states() == ["sent"] * 8


def test_a_rate_of_ones_own(world: World) -> None:
    world.channel()
    NotificationChannel.objects.update(per_minute=2)
    for number in range(5):
        world.fire(instance=f"web-{number}")
    world.work()
    assert len(world.sent) == 1
    world.forward(seconds=30)
    assert len(world.sent) == 2


def test_of_what_waits_only_the_newest_state_is_told(world: World, slack: Slack) -> None:
    by_slack(world, slack, per_minute=1)
    world.fire("First")
    world.work()
    world.fire()
    world.work()
    world.fire(severity="critical")
    world.work()
    world.resolve()
    world.work()
    assert [head["text"] for head in slack.heads.values()] == ["[FIRING] First on web-1"]
    world.forward(minutes=1)
    assert [head["text"] for head in slack.heads.values()][1:] == ["[RESOLVED] HighCPU on web-1"]
    assert states() == ["sent", "folded", "folded", "sent"]
    newest = Delivery.objects.latest("pk")
    assert set(Delivery.objects.filter(state="folded").values_list("folded_into", flat=True)) == {newest.pk}


def test_too_many_requests_stop_the_whole_channel(world: World, slack: Slack) -> None:
    by_slack(world, slack, digest_above=0)
    slack.answers.append(Answer(429, b"ratelimited", {"Retry-After": "30"}))
    world.fire(instance="web-1")
    world.work()
    asked = len(slack.requests)
    world.fire(instance="web-2")
    world.forward(seconds=5)
    assert len(slack.requests) == asked
    world.forward(seconds=30)
    assert len(slack.heads) == 2


# Storms.


def test_a_storm_is_one_message_that_says_what_it_holds(world: World, slack: Slack) -> None:
    by_slack(world, slack, digest_above=10)
    world.fire("Calm")
    world.work()
    for number in range(30):
        labels = {"instance": f"web-{number}", "service": "shop" if number < 20 else "mail"}
        severity = "critical" if number == 29 else "warning"
        world.fire(instance=f"web-{number}", labels=labels, severity=severity)
    world.work()
    assert len(slack.heads) == 2, "not one of the storm came by itself"
    storm = list(slack.heads.values())[1]
    assert storm["text"] == "[DIGEST] 30 alerts of 30 incidents in 1 s: 2 services, worst critical"
    assert "shop: 20 alerts, worst warning" in str(storm)
    assert "mail: 10 alerts, worst critical" in str(storm)
    digest = Delivery.objects.get(kind="digest")
    assert f"/deliveries/{digest.pk}/" in str(storm)
    assert Delivery.objects.filter(state="folded", folded_into=digest.pk).count() == 30


def test_what_people_see_already_is_not_left_wrong_by_a_storm(world: World, slack: Slack) -> None:
    by_slack(world, slack, digest_above=3)
    world.fire("Seen")
    world.work()
    for number in range(10):
        world.fire(instance=f"web-{number}")
    world.resolve("Seen")
    world.forward(seconds=5)
    assert [head["text"] for head in slack.heads.values()][0] == "[RESOLVED] Seen on web-1"
    assert Delivery.objects.filter(kind="digest").count() == 1


def test_machines_get_each_message(world: World) -> None:
    world.channel()
    for number in range(60):
        world.fire(instance=f"web-{number}")
    world.work()
    assert len(world.sent) == 60


# Channels that fail.


def test_a_channel_that_refuses_is_stood_in_for_and_people_hear_of_it(
    world: World, slack: Slack, spare: Receiver
) -> None:
    spare_channel = world.channel("spare", url=spare.url)
    by_slack(world, slack, fallback=spare_channel)
    NotificationChannel.objects.filter(name="spare").update(enabled=True)
    slack.archived = True
    world.fire()
    world.work()
    told = [request.json for request in spare.received]
    assert [one["title"] for one in told] == ["HighCPU on web-1", "NotificationChannelFailing on slack"]
    slack.archived = False
    world.fire("Other")
    world.work()
    assert Alert.objects.get(name="NotificationChannelFailing").status == "firing", "it may fail again"
    world.forward(minutes=1)
    assert Alert.objects.get(name="NotificationChannelFailing").status == "resolved"


def test_what_the_spare_was_not_told_itself_comes_by_it(world: World, slack: Slack, spare: Receiver) -> None:
    stand_in = world.channel("spare", url=spare.url)
    by_slack(world, slack, fallback=stand_in)
    document = {
        "version": "1.0",
        "nodes": [{"id": "notify", "type": "notify", "config": {"channels": ["slack"]}}],
    }
    definitions.put(name="slack alone", document=document, now=world.now)
    slack.archived = True
    world.fire()
    world.work()
    [told] = [request.json for request in spare.received]
    assert told["fallback_for"] == "slack"
    assert "slack did not take this message (Slack said: is_archived)" in told["note"]


def test_two_that_stand_in_for_each_other_do_not_play_ball(world: World, slack: Slack) -> None:
    first = by_slack(world, slack)
    second = world.channel("second", driver="slack", **slack.config)
    NotificationChannel.objects.filter(pk=first.pk).update(fallback=second)
    NotificationChannel.objects.filter(pk=second.pk).update(fallback=first)
    slack.archived = True
    world.fire()
    for _ in range(5):
        world.forward(minutes=5)
    assert set(states()) == {"dead"}
    assert Delivery.objects.count() <= 8


def test_a_dead_receiver_is_tried_with_one_message_at_a_time(world: World) -> None:
    world.channel()
    world.receiver.default = Answer(500)
    for number in range(20):
        world.fire(instance=f"web-{number}")
    world.work()
    assert ChannelPace.objects.get().failures == FAILURES_TO_OPEN
    tried = len(world.receiver.received)
    world.forward(seconds=20)
    assert len(world.receiver.received) <= tried + 2
    world.receiver.default = Answer(200)
    for _ in range(10):
        world.forward(minutes=3)
    assert set(states()) == {"sent"}
    assert ChannelPace.objects.get().failures == 0


def test_people_hear_by_another_channel_of_one_that_does_not_answer(world: World, spare: Receiver) -> None:
    world.channel()
    world.channel("spare", url=spare.url)
    world.receiver.default = Answer(500)
    world.fire()
    world.work()
    assert [request.json["title"] for request in spare.received] == ["HighCPU on web-1"]
    world.forward(minutes=2)
    world.forward(minutes=2)
    assert [request.json["title"] for request in spare.received][1:] == ["NotificationChannelFailing on hook"]
    world.receiver.default = Answer(200)
    for _ in range(8):
        world.forward(minutes=3)
    assert [request.json["kind"] for request in spare.received] == ["firing", "firing", "resolved"]


def test_each_try_that_failed_is_kept(world: World) -> None:
    world.channel()
    world.receiver.answers += [Answer(503, b"busy"), Answer(500, b"oops")]
    world.fire()
    for _ in range(4):
        world.forward(minutes=1)
    delivery = Delivery.objects.order_by("pk").first()
    assert delivery is not None and delivery.state == "sent"
    assert [failure["error"] for failure in delivery.failures] == ["HTTP 503: busy", "HTTP 500: oops"]


# What is told.


def test_a_channel_need_not_hear_that_it_is_over(world: World) -> None:
    world.channel()
    NotificationChannel.objects.update(send_resolved=False)
    world.fire()
    world.work()
    world.resolve()
    world.work()
    assert world.kinds() == ["firing"]
    stage = world.incident().runs.latest("pk").stages.get(type="notify")
    assert stage.output["left_out"] == {"hook": "hook is not told when something is over"}


def test_a_channel_says_it_in_its_own_words(world: World) -> None:
    world.channel()
    NotificationChannel.objects.update(
        subject_template="{{ title }} is {{ severity }}",
        body_template="{% for alert in alerts %}{{ alert.labels.instance }}{% endfor %}",
    )
    world.fire(severity="critical")
    world.work()
    assert (world.sent[0]["subject"], world.sent[0]["body"]) == ("HighCPU on web-1 is critical", "web-1")


def test_the_words_of_a_driver_are_for_channels_without_their_own(world: World) -> None:
    DriverTemplates.objects.create(driver="webhook", subject_template="by driver")
    world.channel()
    world.fire()
    world.work()
    assert world.sent[0]["subject"] == "by driver"


@pytest.mark.parametrize("template", ["{{ alerts[0].labels.nope }}", "{{ 1 / 0 }}", "{{ title.nope() }}"])
def test_words_that_fail_cost_nobody_the_message(world: World, template: str) -> None:
    world.channel()
    NotificationChannel.objects.update(body_template=template)
    world.fire()
    world.work()
    assert "the template fails" in world.sent[0]["note"]
    assert world.sent[0]["alerts"]


def test_a_thread_begins_with_what_happened_before(world: World, slack: Slack) -> None:
    by_slack(world, slack)
    told = Told("events", "", "t0", world.now, trusted=True)
    for number, source in enumerate(("player-1", "web-1", "player-2")):
        happened = FeedEvent(
            type="command.failed", level="error", message=f"no {number}\nanswer", source=source,
            correlation_id=f"corr-{number}",
        )  # fmt: skip
        feed.record([happened], told)
    world.fire()
    world.work()
    [(ts, head)] = slack.heads.items()
    assert "command.failed" not in str(head)
    [before] = slack.replies[ts]
    assert before["text"] == "What happened before"
    assert "error web-1 command.failed: no 1 answer [corr-1] http" in str(before)
    world.resolve()
    world.work()
    assert len(slack.replies[ts]) == 2


def test_a_thread_without_its_beginning_is_one(world: World, slack: Slack) -> None:
    by_slack(world, slack)
    feed.record([FeedEvent(type="x", message="y")], Told("events", "", "t0", world.now, trusted=True))
    ok = b'{"ok": true, "channel": "C0000000001", "ts": "1.1"}'
    slack.answers += [Answer(200, ok), Answer(500, b"oops")]
    world.fire()
    world.work()
    delivery = Delivery.objects.get()
    assert (delivery.state, Thread.objects.get().handle["ts"]) == ("sent", "1.1")
    assert "could not be told: HTTP 500" in delivery.answer


def test_what_a_person_resolves_tells_of_its_alerts(world: World) -> None:
    world.channel()
    world.fire()
    world.work()
    services.resolve(incident_id=world.incident().pk, actor="Anna", now=world.now)
    world.work()
    assert [alert["name"] for alert in world.sent[1]["alerts"]] == ["HighCPU"]
    assert world.sent[1]["actor"] == "Anna"
