"""That an alert was heard of again is written late, and never after what is newer."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.doorway import Doorway
from tests.world import World
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.expiry import expire
from tocsin.alerts.intake import committer
from tocsin.alerts.intake.journal import Post
from tocsin.alerts.models import Alert

BEGAN = datetime(2026, 11, 21, 11, 59, tzinfo=UTC)
BELIEVED = timedelta(minutes=4)


def _heard(world: World) -> None:
    event = AlertEvent({"alertname": "DiskFull"}, starts_at=BEGAN, expires_at=world.now + BELIEVED)
    world.journal.commit([Post([event], "prometheus", "trace", world.now)])


def test_it_is_written_with_the_next_flush(world: World) -> None:
    _heard(world)
    world.now += timedelta(minutes=1)
    _heard(world)
    assert Alert.objects.get().seen_at < world.now
    world.journal.flush()
    found = Alert.objects.get()
    assert (found.seen_at, found.expires_at) == (world.now, world.now + BELIEVED)


def test_one_that_would_expire_is_written_at_once_and_stays_so(world: World) -> None:
    _heard(world)
    for seconds in (60, 170):  # the second comes shortly before what is written would expire
        world.now += timedelta(seconds=seconds)
        _heard(world)
    for _ in range(2):
        found = Alert.objects.get()
        assert (found.seen_at, found.expires_at) == (world.now, world.now + BELIEVED)
        world.journal.flush()


def test_one_that_is_heard_of_each_minute_does_not_expire_where_nothing_is_flushed(world: World) -> None:
    """Intake that never rests does not flush."""
    _heard(world)
    for _ in range(12):
        world.now += timedelta(minutes=1)
        assert expire(world.now) == 0
        _heard(world)


def test_it_expires_once_its_source_falls_silent(world: World) -> None:
    _heard(world)
    assert expire(world.now + BELIEVED) == 1
    assert Alert.objects.get().timed_out


def test_it_is_written_where_intake_never_rests(door: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "FLUSH_SECONDS", 3_600.0)
    monkeypatch.setattr(committer, "FLUSH_LATEST", 0.0)
    alert = {"name": "DiskFull"}
    door.post(alert)
    first = Alert.objects.get().seen_at
    door.post(alert)
    door.post(alert)  # its commit comes after what follows the one before
    assert Alert.objects.get().seen_at > first


def test_a_flush_of_some_leaves_the_others_for_the_next(world: World) -> None:
    for minutes in (0, 1):
        world.now += timedelta(minutes=minutes)
        for number in range(5):
            event = AlertEvent({"alertname": f"Disk{number}"}, starts_at=BEGAN)
            world.journal.commit([Post([event], "prometheus", "trace", world.now)])
    written = []
    while world.journal.has_touches:
        world.journal.flush(2)
        written.append(Alert.objects.filter(seen_at=world.now).count())
    assert written == [2, 4, 5]
