"""A message on its way: tried again, kept in order, given up visibly, and never in another's way."""

from datetime import timedelta

import pytest
from django.db import connection

from tests.fakes.receiver import Answer, Received, receiver
from tests.world import World
from tocsin.notify.models import Delivery, NotificationChannel
from tocsin.notify.outcome import GIVE_UP_AFTER
from tocsin.notify.services import LEASE
from tocsin.orchestration.models import PipelineRun, StageExecution


def _delivery() -> Delivery:
    return Delivery.objects.get()


def test_a_receiver_in_trouble_is_tried_again_later(world: World) -> None:
    world.channel()
    world.receiver.answers.append(Answer(500, b"oops"))
    world.fire()
    world.work()
    delivery = _delivery()
    assert (delivery.state, delivery.attempts, delivery.last_error) == (
        Delivery.RETRYING,
        1,
        "HTTP 500: oops",
    )
    assert delivery.due_at is not None
    assert timedelta(seconds=1) <= delivery.due_at - world.now <= timedelta(seconds=2)

    world.forward(seconds=0.5)
    assert len(world.receiver.received) == 1, "not before its time"
    world.forward(seconds=2)
    delivery = _delivery()
    assert (delivery.state, delivery.attempts, delivery.due_at) == (Delivery.SENT, 2, None)
    assert (delivery.last_error, delivery.answer) == ("", "HTTP 200")
    assert delivery.sent_at == world.now


def test_a_receiver_that_asks_for_time_gets_it(world: World) -> None:
    world.channel()
    world.receiver.answers.append(Answer(429, b"slow down", {"Retry-After": "120"}))
    world.fire()
    world.work()
    world.forward(seconds=119)
    assert len(world.receiver.received) == 1
    world.forward(seconds=2)
    assert _delivery().state == Delivery.SENT


def test_what_will_never_be_taken_is_given_up_at_once_and_can_be_seen(world: World) -> None:
    world.channel()
    world.receiver.default = Answer(404, b"no such hook")
    world.fire()
    world.work()
    world.forward(hours=1)
    assert len(world.receiver.received) == 1
    dead = Delivery.objects.get(state=Delivery.DEAD)
    assert (dead.last_error, dead.due_at) == ("HTTP 404: no such hook", None)


def test_a_receiver_that_stays_away_is_given_up_after_half_a_day(world: World) -> None:
    world.channel()
    world.receiver.default = Answer(503, b"maintenance")
    world.fire()
    world.work()
    for _ in range(60):
        world.forward(seconds=GIVE_UP_AFTER.total_seconds() / 50)
    delivery = _delivery()
    assert (delivery.state, delivery.last_error) == (Delivery.DEAD, "HTTP 503: maintenance")
    assert 40 < delivery.attempts <= 60
    assert len(world.receiver.received) == delivery.attempts


def test_one_dead_channel_costs_the_others_nothing(world: World) -> None:
    with receiver() as broken:
        broken.default = Answer(500, b"broken")
        world.channel("broken", url=broken.url)
        world.channel("good")
        for n in range(5):
            world.fire(f"Alert{n}")
        world.work()
        assert len(world.sent) == 5
        states = dict(Delivery.objects.values_list("channel__name", "state"))
        assert states == {"broken": Delivery.RETRYING, "good": Delivery.SENT}


def test_a_channel_that_hangs_does_not_hold_up_another(world: World) -> None:
    def hang(received: Received) -> Answer:
        seen.append(len(world.receiver.wait_for(5)))
        return Answer()

    seen: list[int] = []
    with receiver() as hanging:
        hanging.answer_to = hang
        world.channel("hanging", url=hanging.url)
        world.channel("good")
        for n in range(5):
            world.fire(f"Alert{n}")
        world.work()
    assert seen == [5] * 5, "it answered only when the other had everything"


def test_messages_of_one_incident_keep_their_order_in_a_channel(world: World) -> None:
    world.channel()
    world.receiver.answers.append(Answer(500))
    world.fire()
    world.work()
    world.resolve()
    world.fire("Other")
    world.work()
    told = [(message["title"], message["kind"]) for message in world.sent]
    assert told == [("HighCPU on web-1", "firing"), ("Other on web-1", "firing")], "others are not held up"

    world.receiver.answers.append(Answer(500))
    for _ in range(3):
        world.forward(minutes=5)
    told = [(message["title"], message["kind"]) for message in world.sent[2:]]
    assert told == [("HighCPU on web-1", kind) for kind in ("firing", "firing", "resolved")]
    assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.SENT}


def test_after_a_message_that_was_given_up_the_next_one_goes(world: World) -> None:
    world.channel()
    world.receiver.answers.append(Answer(400, b"no"))
    world.fire()
    world.work()
    world.resolve()
    world.work()
    assert list(Delivery.objects.order_by("pk").values_list("kind", "state")) == [
        ("firing", Delivery.DEAD),
        ("resolved", Delivery.SENT),
    ]


def _notify_stage() -> StageExecution:
    return StageExecution.objects.get(stage="NOTIFY")


def test_when_nothing_may_be_sent_the_run_says_why(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SKIP_ALL", "1")
    world.channel()
    world.fire()
    world.work()
    assert world.sent == []
    assert _notify_stage().output == {"deliveries": [], "reason": "NOTIFY_SKIP_ALL is set"}
    assert PipelineRun.objects.get().state == PipelineRun.NOTIFIED


def test_when_there_is_no_channel_the_run_says_so(world: World) -> None:
    world.channel()
    NotificationChannel.objects.update(enabled=False)
    world.fire()
    world.work()
    assert _notify_stage().output["reason"] == "there is no enabled channel"


@pytest.mark.parametrize(
    ("driver", "config", "why"),
    [
        ("webhook", {"url": "not a url"}, "webhook: url"),
        ("webhook", {}, "webhook: url"),
        ("pigeon", {"loft": 1}, "there is no driver 'pigeon'"),
    ],
)
def test_a_channel_whose_config_is_broken_gives_dead_letters_that_say_why(
    world: World, driver: str, config: dict[str, object], why: str
) -> None:
    broken = world.channel("broken")
    world.channel("good")
    broken.driver, broken.config = driver, config
    broken.save()
    world.fire()
    world.work()
    assert Delivery.objects.get(channel=broken).state == Delivery.PENDING, "a newer worker may know how"
    world.forward(minutes=15)
    dead = Delivery.objects.get(state=Delivery.DEAD)
    assert dead.channel == broken
    assert why in dead.last_error
    assert [told["title"] for told in world.sent] == [
        "HighCPU on web-1", "NotificationChannelFailing on broken"
    ]  # fmt: skip


def test_a_message_that_cannot_be_read_costs_no_other(world: World) -> None:
    """As one of a newer version, which is left to workers of that version for a while."""
    world.receiver.answers = [Answer(503)]
    world.channel()
    world.fire()
    world.work()
    Delivery.objects.update(message={"id": 5})
    world.fire("Other")
    world.forward(minutes=1)
    assert [told["title"] for told in world.sent[1:]] == ["Other on web-1"]
    strange = Delivery.objects.earliest("pk")
    assert strange.due_at == world.now + LEASE and "cannot be read" in strange.last_error
    world.forward(minutes=14)
    strange.refresh_from_db()
    assert (strange.state, strange.due_at) == (Delivery.DEAD, None)


def test_a_config_that_cannot_be_decrypted_costs_its_channel_alone(world: World) -> None:
    broken = world.channel("broken")
    world.channel("good")
    _garble(broken)
    world.fire()
    world.work()
    assert [told["title"] for told in world.sent] == [
        "HighCPU on web-1", "NotificationChannelFailing on broken"
    ]  # fmt: skip
    dead = Delivery.objects.get(state=Delivery.DEAD)
    assert "TOCSIN_SECRET_KEYS" in dead.last_error


def _garble(channel: NotificationChannel) -> None:
    """Leave its config as if it had been encrypted under a key that is lost."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_notificationchannel SET config = 'gAAAAA' WHERE id = %s", [channel.pk])
