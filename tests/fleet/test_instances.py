"""Machines with an agent: what they push is learned once, and their silence is told."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.world import World
from tocsin.alerts.events import CheckTold, Push
from tocsin.alerts.intake.beside import Told
from tocsin.alerts.models import Alert
from tocsin.checkers.models import CheckRun
from tocsin.core.errors import Unknown
from tocsin.fleet import instances
from tocsin.fleet.models import Instance


def _check(status: str = "ok", check: str = "cpu", round: int = 0, at: datetime | None = None) -> CheckTold:
    return CheckTold(check, status, f"{check} is {status}", {"used_percent": 1.0}, at, round)


def _push(world: World, *checks: CheckTold, **told: Any) -> None:
    push = Push(**{"instance_id": "web-1", "interval": 60, "sent_at": world.now, "checks": checks, **told})
    instances.take([push], Told("cluster", "", "trace", world.now, True, "192.0.2.7"))


def _instance() -> Instance:
    return Instance.objects.get()


def test_an_instance_is_known_from_its_first_push_on(world: World) -> None:
    began = world.now
    _push(world, _check(), hostname="web-1.example", version="0.1", waiting=3, dropped={"steady": 2})
    world.forward(minutes=1)
    _push(world, _check("warning"), _check("ok", "disk"))
    found = _instance()
    assert (found.hostname, found.version, found.address) == ("web-1.example", "0.1", "192.0.2.7")
    assert (found.first_seen_at, found.last_seen_at) == (began, world.now)
    assert (found.status, found.waiting, found.dropped) == ("warning", 0, {})
    assert {name: told["status"] for name, told in found.checks.items()} == {"cpu": "warning", "disk": "ok"}


def test_a_round_counts_once_however_often_and_in_what_batch_it_comes(world: World) -> None:
    rounds = [
        _check(status, round=number) for number, status in enumerate(["ok", "warning", "ok", "critical"], 1)
    ]
    _push(world, *rounds[:2], spool="a")
    _push(world, *rounds[:3], spool="a")
    _push(world, *rounds[1:], spool="a")
    _push(world, *rounds, spool="a")
    assert list(CheckRun.objects.order_by("pk").values_list("status", flat=True)) == [
        "ok",
        "warning",
        "ok",
        "critical",
    ]
    _push(world, rounds[0], spool="b")
    assert CheckRun.objects.count() == 5, "another spool counts its rounds anew"
    _push(world, *rounds, spool="a")
    assert CheckRun.objects.count() == 5, "and the first is still known"


def test_of_a_steady_state_a_result_is_kept_now_and_then(world: World) -> None:
    for minute in range(25):
        _push(world, _check(round=minute, at=world.now), spool="a")
        world.now += timedelta(minutes=1)
    assert CheckRun.objects.count() == 3
    told = _instance().checks["cpu"]
    assert told["since"] < told["stored_at"] < told["at"]


def test_a_check_that_is_not_made_any_more_is_forgotten(world: World) -> None:
    _push(world, _check("critical"), _check("ok", "disk"))
    assert _instance().status == "critical"
    _push(world, _check("ok", "disk"))
    assert set(_instance().checks) == {"cpu", "disk"}, "an agent that does not say what it checks"
    _push(world, _check("ok", "disk"), makes=frozenset({"disk"}))
    assert set(_instance().checks) == {"disk"} and _instance().status == "ok"


def test_silence_is_told_once_and_so_is_the_return(world: World) -> None:
    world.channel()
    _push(world)
    world.forward(minutes=2, seconds=59)
    assert world.kinds() == []
    world.forward(seconds=2)
    alert = Alert.objects.get()
    assert (alert.name, alert.severity, alert.labels["instance_id"]) == (
        "InstanceSilent",
        "critical",
        "web-1",
    )
    assert "pushes every 1 min" in alert.annotations["summary"]
    world.forward(days=3)
    assert world.kinds() == ["firing"]
    _push(world)
    world.forward(seconds=1)
    assert world.kinds() == ["firing", "resolved"]
    assert (_instance().state, _instance().silent_since) == ("up", None)


def test_one_that_does_not_say_how_often_it_pushes_is_given_time(world: World) -> None:
    world.channel()
    _push(world, interval=0)
    world.forward(days=2)
    assert world.kinds() == [], "nobody knows when it should come again"
    for _ in range(3):
        _push(world, interval=0)
        world.forward(minutes=10)
    world.now += timedelta(minutes=5)
    assert _instance().interval >= 600
    assert world.kinds() == []


def test_a_wrong_clock_is_told_until_it_is_right_again(world: World) -> None:
    world.channel()
    for seconds in (70, 45, 40):
        _push(world, sent_at=world.now + timedelta(seconds=seconds))
        world.forward(seconds=1)
    assert world.kinds() == ["firing"]
    assert Alert.objects.get().annotations["summary"] == "The clock of web-1 is 70 s ahead"
    _push(world, sent_at=world.now - timedelta(seconds=29))
    world.forward(seconds=1)
    assert world.kinds() == ["firing", "resolved"]


def test_an_instance_that_is_removed_leaves_no_alert_behind(world: World) -> None:
    world.channel()
    _push(world)
    world.forward(minutes=10)
    instances.remove(instance_id="web-1", now=world.now)
    world.work()
    assert world.kinds() == ["firing", "resolved"]
    assert not Instance.objects.exists()
    with pytest.raises(Unknown):
        instances.remove(instance_id="web-1", now=world.now)


def test_what_was_late_when_nobody_looked_is_told_once(world: World) -> None:
    world.channel()
    for number in range(30):
        _push(world, instance_id=f"web-{number}")
    world.forward(days=5)
    world.forward(minutes=1)
    assert len(world.kinds()) == 30
