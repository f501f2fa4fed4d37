"""Two workers over one journal at the same moment. SQLite has one writer at a time, and nothing to show."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection

from tests.world import World
from tocsin.alerts.correlate.step import correlate, pending
from tocsin.alerts.models import Alert, AlertHistory, Incident, Silence
from tocsin.alerts.unsilence import unsilence
from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.notify import outbox
from tocsin.notify.models import Delivery
from tocsin.notify.outcome import Outcome


@pytest.fixture(autouse=True)
def _server(db: None) -> None:
    if bulk.is_sqlite():
        pytest.skip("SQLite has one writer at a time")


@contextmanager
def another(act: Callable[[], object]) -> Iterator[None]:
    """Another worker, which has acted and not yet committed while the block runs."""
    acted, commit = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with bulk.transaction():
                act()
                acted.set()
                commit.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert acted.wait(10)
    try:
        yield
    finally:
        commit.set()
        thread.join()


def _decide(world: World) -> int:
    with bulk.transaction():
        return len(correlate(pending(100), world.now))


def test_only_one_at_a_time_decides_also_over_entries_that_came_late(world: World) -> None:
    world.fire(instance="late")
    late = AlertHistory.objects.get()
    AlertHistory.objects.update(decision="unseen")  # its commit takes its time, and others overtake it
    world.fire(instance="early")
    with another(lambda: correlate(pending(100), world.now)):
        AlertHistory.objects.filter(pk=late.pk).update(decision=AlertHistory.PENDING)
        read_meanwhile = pending(100)
        assert len(read_meanwhile) == 2
        assert _decide(world) == 0
    with bulk.transaction():
        news = correlate(read_meanwhile, world.now)
    assert [item.title for item in news] == ["HighCPU on late"], "the other was decided over meanwhile"
    assert list(Incident.objects.order_by("title").values_list("title", "total")) == [
        ("HighCPU on early", 1),
        ("HighCPU on late", 1),
    ]


def test_who_is_kept_from_deciding_still_writes_what_it_sent(world: World) -> None:
    channel = world.channel()
    world.fire()
    world.receiver.default.status = 503
    world.work()
    delivery = Delivery.objects.get()
    Delivery.objects.update(lease="mine.1", due_at=world.now + timedelta(minutes=1))
    world.fire(instance="web-2")
    with another(lambda: correlate(pending(100), world.now)), bulk.transaction():
        outbox.finish([Outcome(delivery.pk, "mine.1", answer="ok")], world.now)
        assert correlate(pending(100), world.now) == []
    assert Delivery.objects.get(pk=delivery.pk).state == Delivery.SENT
    assert channel.deliveries.count() == 1


def test_the_end_of_a_silence_is_journaled_once(world: World) -> None:
    Silence.objects.create(
        id=new_id(), matchers=[{"name": "instance", "value": "web-1", "isRegex": False, "isEqual": True}],
        starts_at=world.now, ends_at=world.now + timedelta(minutes=5), updated_at=world.now,
    )  # fmt: skip
    world.fire()
    world.work()
    assert Alert.objects.get().silenced_by
    later = world.now + timedelta(minutes=6)
    found: list[int] = []

    def second() -> None:
        try:
            found.append(unsilence(later))
        finally:
            connection.close()

    thread = threading.Thread(target=second)
    with another(lambda: unsilence(later)):
        thread.start()
        thread.join(1)
    thread.join()
    assert found == [0]
    assert AlertHistory.objects.filter(kind="unsilenced").count() == 1
