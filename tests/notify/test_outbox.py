"""The outbox where workers are late, channels go meanwhile, and messages are of another version."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes import slack as fake
from tests.fakes.receiver import Answer
from tests.fakes.slack import Slack
from tests.world import World
from tocsin.alerts.models import Alert
from tocsin.notify import outbox, services
from tocsin.notify.models import ChannelPace, Delivery, NotificationChannel, Thread
from tocsin.notify.outcome import Outcome
from tocsin.notify.terms import terms_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def slack(world: World) -> Iterator[Slack]:
    with fake.slack() as here:
        world.channel("slack", driver="slack", **here.config)
        yield here


def channel() -> NotificationChannel:
    return NotificationChannel.objects.get(name="slack")


def claimed(world: World, token: str) -> list[outbox.Due]:
    return outbox.claim(terms_of(channel()), 64, token, world.now)


def posted(due: outbox.Due, token: str, ts: str, **more: Any) -> Outcome:
    return Outcome(
        due.delivery_id, token, channel().pk, due.message.incident_id, {"channel": "C", "ts": ts}, **more
    )


def waiting(world: World, *names: str) -> None:
    """Alerts whose messages wait, as nobody sends."""
    NotificationChannel.objects.update(enabled=False)
    for name in names:
        world.fire(name)
    NotificationChannel.objects.update(enabled=True, per_minute=0.001)
    ChannelPace.objects.all().delete()
    ChannelPace.objects.create(channel=channel(), tokens=0, filled_at=world.now)
    world.work()
    NotificationChannel.objects.update(per_minute=None)
    ChannelPace.objects.all().delete()


def test_who_lost_its_lease_does_not_take_the_thread_away(world: World, slack: Slack) -> None:
    waiting(world, "HighCPU")
    [late] = claimed(world, "late.1")
    world.now += timedelta(minutes=2)
    [ours] = claimed(world, "ours.1")
    assert ours.delivery_id == late.delivery_id
    outbox.finish([posted(ours, "ours.1", "2")], world.now)
    outbox.finish([posted(late, "late.1", "1")], world.now)
    assert Thread.objects.get().handle["ts"] == "2"


def test_what_was_posted_by_who_lost_its_lease_is_found_all_the_same(world: World, slack: Slack) -> None:
    waiting(world, "HighCPU")
    [late] = claimed(world, "late.1")
    world.now += timedelta(minutes=2)
    assert claimed(world, "ours.1")
    outbox.finish([posted(late, "late.1", "1")], world.now)
    assert Thread.objects.get().handle["ts"] == "1"
    assert Delivery.objects.get().state == "pending"


def test_who_lost_its_lease_says_nothing_of_the_channel(world: World, slack: Slack) -> None:
    waiting(world, "HighCPU")
    [late] = claimed(world, "late.1")
    world.now += timedelta(minutes=2)
    [ours] = claimed(world, "ours.1")
    outbox.finish([Outcome(ours.delivery_id, "ours.1", channel().pk, error="HTTP 500")], world.now)
    outbox.finish([posted(late, "late.1", "1")], world.now)
    assert ChannelPace.objects.get().failures == 1
    outbox.finish([Outcome(late.delivery_id, "late.1", channel().pk, error="HTTP 500")], world.now)
    assert ChannelPace.objects.get().failures == 1


@pytest.mark.parametrize("error", ["", "HTTP 500"])
def test_what_came_of_a_try_by_a_channel_that_is_gone_stops_nobody(
    world: World, slack: Slack, error: str
) -> None:
    waiting(world, "HighCPU")
    [due] = claimed(world, "ours.1")
    outcome = posted(due, "ours.1", "1", error=error)
    services.remove_channel(name="slack", now=world.now)
    assert outbox.finish([outcome], world.now) == 1
    assert not Thread.objects.exists()
    assert not ChannelPace.objects.exists()


def test_a_message_of_a_newer_version_stops_no_fold_and_no_storm(world: World, slack: Slack) -> None:
    waiting(world, *(f"Alert{number}" for number in range(30)))
    Delivery.objects.filter(message__contains="Alert7 ").update(message='{"of": "tomorrow"}')
    [digest] = claimed(world, "ours.1")
    assert "29 alerts" in digest.message.title
    assert Delivery.objects.filter(state="pending", lease="").count() == 1


def test_what_may_be_posted_already_goes_into_no_digest(world: World, slack: Slack) -> None:
    waiting(world, *(f"Alert{number}" for number in range(30)))
    first = Delivery.objects.order_by("pk")[0]
    Delivery.objects.filter(pk=first.pk).update(attempts=1, lease="dead.1")
    world.resolve("Alert0")
    ChannelPace.objects.create(channel=channel(), tokens=-1000, filled_at=world.now)
    world.work()
    ChannelPace.objects.all().delete()
    [digest] = claimed(world, "ours.1")
    assert "29 alerts" in digest.message.title
    [alone] = claimed(world, "ours.2")
    assert (alone.message.kind, alone.message.incident_id) == ("resolved", first.incident_id)


def test_what_another_place_has_of_an_incident_is_not_looked_for_here(world: World, slack: Slack) -> None:
    world.fire()
    world.work()
    given = {**slack.config, "channel_id": "C0000000002"}
    setup = services.STANDARD
    services.change_channel(channel_id=channel().pk, name="slack", given=slack.config, setup=setup)
    assert Thread.objects.get().handle, "nothing changed"
    services.change_channel(channel_id=channel().pk, name="slack", given=given, setup=setup)
    assert Thread.objects.get().handle == {}


def test_another_driver_gets_no_handle_of_the_one_before(world: World, slack: Slack) -> None:
    world.fire()
    world.work()
    services.put_channel(name="slack", driver="webhook", given={"url": world.receiver.url}, now=world.now)
    assert Thread.objects.get().handle == {}


@pytest.mark.parametrize("gone", [True, False])
def test_nobody_waits_for_a_channel_that_is_gone_or_off(world: World, slack: Slack, gone: bool) -> None:
    slack.archived = True
    world.fire()
    world.work()
    failing = Alert.objects.filter(name="NotificationChannelFailing")
    assert failing.get().status == "firing"
    if gone:
        services.remove_channel(name="slack", now=world.now)
    else:
        services.enable_channel(name="slack", enabled=False)
    world.work()
    assert failing.get().status == "resolved"


def test_what_stood_in_line_for_long_is_tried_more_than_once(world: World) -> None:
    world.channel()
    world.fire()
    world.receiver.default = Answer(500)
    world.work()
    Delivery.objects.update(created_at=world.now - timedelta(days=2), due_at=world.now)
    world.work()
    assert Delivery.objects.get().state == "retrying"
