"""Jobs tell that they live; whoever falls silent, or says that it failed, is told of."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.world import World
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.fleet import heartbeats
from tocsin.fleet.models import Heartbeat
from tocsin.fleet.schedule import Schedule

DAY = 86_400


@pytest.fixture
def heard(world: World) -> World:
    """A world with a channel that hears."""
    world.channel()
    return world


def job(world: World, name: str = "nightly-backup", **given: Any) -> Heartbeat:
    """A heartbeat that is expected each hour, five minutes late at most, unless told otherwise."""
    labels = given.pop("labels", {})
    schedule = Schedule(**({"period": 3_600, "grace": 300} | given))
    return heartbeats.create(name=name, schedule=schedule, labels=labels, now=world.now)


def ping(world: World, name: str = "nightly-backup", **fields: Any) -> None:
    """The job tells something, and a worker hears of it."""
    world.beat(name, **fields)
    world.work()


def state() -> str:
    return Heartbeat.objects.get().state


def summary(world: World) -> str:
    """What the last message said."""
    return str(world.sent[-1]["alerts"][0]["annotations"]["summary"])


def test_a_job_that_goes_silent_is_told_of_once_and_resolves_when_it_is_back(heard: World) -> None:
    job(heard, labels={"team": "db", "severity": "error"})
    heard.forward(days=2)
    assert (state(), heard.sent) == ("new", []), "nothing is expected before the first ping"
    ping(heard, text="all is well")
    heard.forward(minutes=60)
    assert (state(), heard.sent) == ("up", []), "it has its grace"
    heard.forward(minutes=5)
    assert state() == "down"
    assert heard.kinds() == ["firing"]
    assert summary(heard) == "nightly-backup was expected by 13:05 UTC and has not come"
    alert = Alert.objects.get()
    assert alert.labels == {
        "alertname": "HeartbeatDown", "heartbeat": "nightly-backup", "instance": "nightly-backup",
        "team": "db", "severity": "error",
    }  # fmt: skip
    assert (alert.severity, alert.source) == ("error", "heartbeat")
    assert "output" not in alert.annotations, "what the last run said was that all is well"
    assert alert.generator_url.endswith(f"/heartbeats/{Heartbeat.objects.get().pk}/")
    heard.forward(hours=30)
    assert heard.kinds() == ["firing"], "once"
    ping(heard)
    assert (state(), heard.kinds()) == ("up", ["firing", "resolved"])
    ping(heard)
    assert heard.kinds() == ["firing", "resolved"]


def test_a_job_that_is_on_time_makes_nothing(heard: World) -> None:
    job(heard)
    for _ in range(30):
        ping(heard)
        heard.forward(minutes=62)
    assert not AlertHistory.objects.exists()


def test_a_failure_is_told_at_once_with_what_the_job_printed(heard: World) -> None:
    job(heard)
    ping(heard, signal="failure", exit_status=3, text="dumping\nno space left on device\n")
    assert summary(heard) == "nightly-backup failed with exit status 3"
    assert heard.sent[0]["alerts"][0]["annotations"]["output"] == "dumping\nno space left on device"
    ping(heard, signal="failure", exit_status=4, text="again")
    assert heard.kinds() == ["firing"], "people know"
    assert Alert.objects.get().annotations["summary"] == "nightly-backup failed with exit status 4"
    ping(heard, exit_status=0)
    assert heard.kinds() == ["firing", "resolved"]


def test_a_failure_is_told_though_the_next_run_went_well_before_a_worker_looked(heard: World) -> None:
    job(heard)
    heard.beat(signal="failure")
    heard.beat()
    heard.work()
    kinds = list(AlertHistory.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["fired", "resolved"]
    assert state() == "up"


def test_a_run_that_began_and_does_not_end_is_told_of(heard: World) -> None:
    job(heard, period=DAY, grace=600)
    ping(heard)
    heard.forward(hours=23, minutes=59)
    ping(heard, signal="start")
    heard.forward(minutes=9)
    assert heard.sent == []
    heard.forward(minutes=1)
    assert summary(heard) == "nightly-backup began at 11:59 UTC and has not ended within 10 min"
    heard.forward(minutes=20)
    ping(heard)
    assert heard.kinds() == ["firing", "resolved"]
    assert Heartbeat.objects.get().last_duration == 30 * 60


def test_a_line_of_log_changes_nothing(heard: World) -> None:
    job(heard)
    ping(heard)
    before = Heartbeat.objects.values().get()
    heard.forward(minutes=50)
    ping(heard, signal="log", exit_status=1, text="half way")
    assert Heartbeat.objects.values().get() == before
    heard.forward(minutes=15)
    assert heard.kinds() == ["firing"]


@pytest.mark.parametrize(
    ("begin", "late"),
    [
        (datetime(2026, 3, 28, 1, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 5, tzinfo=UTC)),
        (datetime(2026, 10, 24, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 0, 35, tzinfo=UTC)),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 26, 1, 35, tzinfo=UTC)),
    ],
    ids=["02:30 is skipped and runs at 03:00", "02:30 comes twice", "it ran the first of both times"],
)  # fmt: skip
def test_a_cron_line_goes_by_the_jobs_own_clock(heard: World, begin: datetime, late: datetime) -> None:
    job(heard, period=None, cron="30 2 * * *", timezone="Europe/Berlin")
    heard.now = begin
    ping(heard)
    heard.forward(seconds=(late - begin).total_seconds() - 1)
    assert heard.sent == []
    heard.forward(seconds=1)
    assert heard.kinds() == ["firing"]


def test_what_is_paused_is_not_expected(heard: World) -> None:
    paused = job(heard)
    ping(heard)
    heartbeats.pause(heartbeat_id=paused.pk, now=heard.now)
    heard.forward(days=3)
    assert (state(), heard.sent) == ("paused", [])
    heartbeats.resume(heartbeat_id=paused.pk, now=heard.now)
    heard.forward(minutes=64)
    assert heard.sent == []
    heard.forward(minutes=1)
    assert heard.kinds() == ["firing"]


def test_a_pause_ends_the_alert_and_a_ping_ends_the_pause(heard: World) -> None:
    paused = job(heard)
    ping(heard, signal="failure")
    heartbeats.pause(heartbeat_id=paused.pk, now=heard.now)
    heard.work()
    assert heard.kinds() == ["firing", "resolved"]
    ping(heard)
    assert state() == "up"
    heard.forward(minutes=66)
    assert heard.kinds()[-1] == "firing"


def test_after_days_off_what_is_late_is_told_of_once(heard: World) -> None:
    job(heard, "a")
    job(heard, "b", period=DAY)
    ping(heard, "a")
    ping(heard, "b")
    heard.now = datetime(2026, 12, 1, tzinfo=UTC)
    heard.work()
    heard.forward(days=1)
    told = [alert["labels"]["heartbeat"] for message in heard.sent for alert in message["alerts"]]
    assert sorted(told) == ["a", "b"]
    assert summary(heard).endswith("and has not come")
    assert "2026-11-2" in summary(heard), "with the day, as it is long ago"


def test_one_that_has_no_schedule_is_never_late(heard: World) -> None:
    job(heard, period=None)
    ping(heard, signal="start")
    heard.forward(days=3)
    ping(heard)
    heard.forward(days=400)
    assert (state(), heard.sent) == ("up", [])


def test_a_change_of_the_schedule_counts_at_once(heard: World) -> None:
    late = job(heard)
    ping(heard)
    heard.forward(minutes=70)
    assert heard.kinds() == ["firing"]
    longer = Schedule(period=2 * 3_600, grace=300)
    heartbeats.change(heartbeat_id=late.pk, name=late.name, schedule=longer, labels={}, now=heard.now)
    heard.work()
    assert (state(), heard.kinds()) == ("up", ["firing", "resolved"])
    heard.forward(minutes=56)
    assert heard.kinds()[-1] == "firing"


def test_what_is_removed_leaves_no_alert_behind(heard: World) -> None:
    gone = job(heard)
    ping(heard, signal="failure")
    heartbeats.remove(heartbeat_id=gone.pk, now=heard.now)
    heard.work()
    assert heard.kinds() == ["firing", "resolved"]
    assert not Heartbeat.objects.exists()
