"""The watch: what it costs, and that it loses nothing."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from tests.statements import counted
from tests.world import World
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.fleet import heartbeats
from tocsin.fleet.models import Heartbeat
from tocsin.fleet.schedule import Schedule
from tocsin.fleet.watch import watch


def silent(world: World, count: int) -> None:
    """Jobs that came once and are late by an hour."""
    for number in range(count):
        schedule = Schedule(period=60, grace=60)
        heartbeats.create(name=f"job-{number}", schedule=schedule, now=world.now)
        world.beat(f"job-{number}")
    world.now += timedelta(hours=1)


def test_where_nothing_is_due_it_costs_one_small_query(world: World) -> None:
    silent(world, 3)
    watch(world.now)
    with counted() as asked:
        assert watch(world.now) == 0
    assert len(asked) == 1
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {asked[0]}")
            assert "heartbeat_due" in str(cursor.fetchall())


def test_many_cost_no_more_queries_than_few(world: World) -> None:
    silent(world, 1)
    with counted() as few:
        assert watch(world.now) == 1
    silent_more(world)
    with counted() as many:
        assert watch(world.now) == 30
    assert len(many) <= len(few) + 8, many
    assert Alert.objects.filter(status="firing").count() == 31


def silent_more(world: World) -> None:
    for number in range(30):
        heartbeats.create(name=f"more-{number}", schedule=Schedule(period=60, grace=60), now=world.now)
        world.beat(f"more-{number}")
    world.now += timedelta(hours=1)


def test_it_takes_no_more_than_its_share_at_once(world: World) -> None:
    silent(world, 5)
    assert [watch(world.now, limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_state_and_alert_are_one_commit(world: World) -> None:
    silent(world, 2)
    with counted() as asked:
        assert watch(world.now) == 2
    if connection.vendor == "sqlite":
        assert [word for word in asked if word.startswith(("BEGIN", "COMMIT"))] == [
            "BEGIN IMMEDIATE",
            "COMMIT",
        ]
    assert set(Heartbeat.objects.values_list("state", flat=True)) == {"down"}
    assert AlertHistory.objects.count() == 2


def test_what_is_undone_is_found_again(world: World) -> None:
    silent(world, 2)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        watch(world.now)
        raise ZeroDivisionError
    assert set(Heartbeat.objects.values_list("state", flat=True)) == {"up"}
    assert not AlertHistory.objects.exists()
    assert watch(world.now) == 2


def test_a_heartbeat_that_was_removed_meanwhile_is_nobodys_trouble(world: World) -> None:
    silent(world, 1)
    heartbeats.remove(heartbeat_id=Heartbeat.objects.get().pk, now=world.now)
    assert watch(world.now) == 0
    assert not Alert.objects.exists()
