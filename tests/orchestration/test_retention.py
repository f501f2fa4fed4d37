"""What is old goes, from what refers to what is referred to, and nothing else does."""

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from django.apps import apps
from django.db import OperationalError, connection, models, transaction

from tests.statements import counted
from tests.world import World
from tocsin.alerts import parked
from tocsin.alerts import retention as alerts
from tocsin.alerts import services as people
from tocsin.alerts.models import Alert, AlertHistory, Incident, ParkedPayload
from tocsin.db.thinning import WINDOW, Walk
from tocsin.notify import retention as deliveries
from tocsin.notify.models import Delivery
from tocsin.orchestration import retention
from tocsin.orchestration.models import PipelineRun, StageExecution
from tocsin.orchestration.retention import INCIDENTS, STEP, thin

RECORDS: Final = (Incident, Alert, AlertHistory, PipelineRun, StageExecution, Delivery, ParkedPayload)
DETAILS: Final = (PipelineRun, StageExecution, Delivery)


@pytest.fixture(autouse=True)
def from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Walks begin at their table's first row, as in a new process."""
    for module in (alerts, deliveries, retention):
        for walk in vars(module).values():
            if isinstance(walk, Walk):
                monkeypatch.setattr(walk, "_after", walk._first)


def rows() -> Counter[str]:
    return Counter({model.__name__: found for model in RECORDS if (found := model.objects.count())})


def thinned(now: datetime) -> int:
    """Thin until there is nothing more to do; how many rows that were."""
    total = 0
    while handled := thin(now):
        total += handled
    return total


def after(world: World, days: float) -> datetime:
    return world.now + timedelta(days=days)


def closed(world: World, instance: str = "web-1") -> Incident:
    """An incident from first to last."""
    world.fire(instance=instance)
    world.work()
    world.now += timedelta(minutes=1)
    world.resolve(instance=instance)
    world.work()
    world.forward(minutes=6)
    incident = Incident.objects.latest("pk")
    assert incident.status == Incident.CLOSED
    return incident


@pytest.fixture
def told(world: World) -> World:
    """A world in which one incident was told of, and closed."""
    world.channel()
    closed(world)
    return world


# What goes.


def test_runs_and_messages_go_before_their_incident(told: World) -> None:
    before = rows()
    assert all(before[model.__name__] for model in DETAILS)
    assert thinned(after(told, 89)) == 0
    handled = thinned(after(told, 91))
    assert handled == sum(before[model.__name__] for model in DETAILS)
    assert rows() == Counter({"Incident": 1, "Alert": 1, "AlertHistory": 2})
    assert thinned(after(told, 364)) == 0


def test_an_incident_goes_with_all_that_belongs_to_it(told: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_KEEP_RUNS", "0")
    note = told.incident()
    people.note(incident_id=note.pk, text="done", actor="ann", now=told.now, trace_id="t")
    before = rows()
    assert thinned(after(told, 364)) == 0
    assert thinned(after(told, 366)) == before.total()
    assert not rows()


def test_what_belonged_to_no_incident_goes(world: World) -> None:
    world.resolve()
    world.work()
    assert AlertHistory.objects.get().decision == AlertHistory.IGNORED
    assert thinned(after(world, 364)) == 0
    assert thinned(after(world, 366)) == 1
    assert not rows()


def test_payloads_that_nobody_could_read_go(world: World) -> None:
    parked.park(unread=parked.Unread(b"?", "", "", "not JSON", "t"), now=world.now)
    assert thinned(after(world, 89)) == 0
    assert thinned(after(world, 91)) == 1
    assert not rows()


@pytest.mark.parametrize("days", ["0", "99999999999999"])
def test_everything_may_be_kept(told: World, monkeypatch: pytest.MonkeyPatch, days: str) -> None:
    for name in ("TOCSIN_KEEP_INCIDENTS", "TOCSIN_KEEP_RUNS"):
        monkeypatch.setenv(name, days)
    before = rows()
    assert thinned(after(told, 100_000)) == 0
    assert rows() == before


def test_days_are_the_users_own(told: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_KEEP_INCIDENTS", "7")
    assert thinned(after(told, 6)) == 0
    assert thinned(after(told, 8))
    assert not rows()


# What stays.


def test_an_open_incident_stays_with_its_record(world: World) -> None:
    world.fire()
    world.work()
    thinned(after(world, 1_000))
    assert rows() == Counter({"Incident": 1, "Alert": 1, "AlertHistory": 1})


def _fires_on(world: World) -> None:
    Alert.objects.update(status=Alert.FIRING)


def _ended_lately(world: World) -> None:
    Alert.objects.update(ended_at=after(world, 300))


def _closed_lately(world: World) -> None:
    Incident.objects.update(closed_at=after(world, 300))


def _message_is_due(world: World) -> None:
    Delivery.objects.update(due_at=after(world, 300), state=Delivery.RETRYING)


def _run_is_due(world: World) -> None:
    PipelineRun.objects.update(due_at=after(world, 300))


def _run_waits(world: World) -> None:
    PipelineRun.objects.update(state=PipelineRun.WAITING, due_at=None)


@pytest.mark.parametrize(
    "so", [_fires_on, _ended_lately, _closed_lately, _message_is_due, _run_is_due, _run_waits]
)
def test_an_incident_stays_while(told: World, so: Callable[[World], None]) -> None:
    closed(told, "web-2")
    so(told)
    before = rows()
    thinned(after(told, 500))
    left = rows()
    for model in (Incident, Alert, AlertHistory):
        assert left[model.__name__] == before[model.__name__], model
    if so in (_message_is_due, _run_is_due, _run_waits):
        assert left["StageExecution"] == before["StageExecution"]


def test_another_incident_goes_meanwhile(told: World) -> None:
    first = told.incident()
    closed(told, "web-2")
    _fires_on(told)
    Alert.objects.exclude(incident=first).update(status=Alert.RESOLVED)
    thinned(after(told, 500))
    assert Incident.objects.get() == first


def test_what_nobody_has_decided_stays(told: World) -> None:
    told.fire()
    Alert.objects.update(status=Alert.RESOLVED)
    thinned(after(told, 500))
    assert [entry.decision for entry in AlertHistory.objects.all()] == [AlertHistory.PENDING]
    assert Alert.objects.exists() and Incident.objects.exists(), "the entry speaks of the alert"


def test_an_alert_that_fired_again_stays_and_its_first_incident_goes(told: World) -> None:
    first = told.incident()
    told.now += timedelta(days=400)
    told.fire()
    told.work()
    thinned(told.now)
    assert Incident.objects.get() != first
    assert Alert.objects.get().incident == Incident.objects.get()
    assert AlertHistory.objects.get().kind == "refired"


def test_an_alert_that_moved_stays_while_its_first_incident_does(told: World) -> None:
    first = told.incident()
    other = Incident.objects.get(pk=closed(told, "web-2").pk)
    Alert.objects.filter(incident=first).update(incident=other)
    Incident.objects.filter(pk=first.pk).update(status=Incident.OPEN)
    thinned(after(told, 500))
    assert set(Incident.objects.all()) == {first, other}
    assert AlertHistory.objects.filter(incident=first).exclude(alert=None).count() == 2


def test_dead_letters_stay_longer_with_their_run(told: World) -> None:
    dead = Delivery.objects.latest("pk")
    Delivery.objects.filter(pk=dead.pk).update(state=Delivery.DEAD, sent_at=None)
    thinned(after(told, 364))
    assert Delivery.objects.get() == dead
    assert PipelineRun.objects.get().pk == dead.run_id
    assert StageExecution.objects.exists()
    thinned(after(told, 366))
    assert not rows()


def test_a_dead_letter_of_an_open_incident_goes_in_the_end(world: World) -> None:
    world.channel()
    world.fire()
    world.work()
    Delivery.objects.update(state=Delivery.DEAD, sent_at=None)
    thinned(after(world, 366))
    assert rows() == Counter({"Incident": 1, "Alert": 1, "AlertHistory": 1})


def test_what_was_sent_lately_stays(told: World) -> None:
    Delivery.objects.update(sent_at=after(told, 80))
    thinned(after(told, 91))
    assert Delivery.objects.count() == PipelineRun.objects.count() == 2


def test_failed_runs_stay_as_long_as_dead_letters(told: World) -> None:
    PipelineRun.objects.update(state=PipelineRun.FAILED, incident=None)
    thinned(after(told, 364))
    assert PipelineRun.objects.count() == 2 and StageExecution.objects.exists()
    thinned(after(told, 366))
    assert not rows()


# In small steps.


def test_steps_are_small(world: World) -> None:
    many = 2 * STEP
    world.post([{"name": "HighCPU", "labels": {"instance": "web-1", "core": str(n)}} for n in range(many)])
    world.work()
    world.post([
        {"name": "HighCPU", "labels": {"instance": "web-1", "core": str(n)}, "status": "resolved"}
        for n in range(many)
    ])  # fmt: skip
    world.work()
    world.forward(minutes=6)
    assert Alert.objects.count() == many
    now, total, before = after(world, 366), 0, rows().total()
    thinned_at_once = []
    while handled := thin(now):
        thinned_at_once.append(handled)
        total += handled
    assert total == before and not rows()
    assert max(thinned_at_once) <= 2 * STEP  # one step of runs, one of incidents
    assert len(thinned_at_once) >= before / (2 * STEP)


def test_what_stays_does_not_stand_in_the_way(world: World) -> None:
    kept, gone = [
        [
            Incident(
                title="x", status=status, severity="info", trace_id="t", opened_at=world.now,
                updated_at=world.now, closed_at=world.now,
            )
            for _ in range(count)
        ]
        for status, count in ((Incident.OPEN, 3 * WINDOW), (Incident.CLOSED, 2 * INCIDENTS))
    ]  # fmt: skip
    Incident.objects.bulk_create([*kept, *gone])
    now = after(world, 366)
    for _ in range(10):
        thin(now)
    assert set(Incident.objects.values_list("status", flat=True)) == {Incident.OPEN}
    Incident.objects.filter(pk=kept[0].pk).update(status=Incident.CLOSED)
    for _ in range(10):
        thin(now)
    assert Incident.objects.count() == 3 * WINDOW - 1, "it looks at them again"


def test_what_somebody_holds_is_left_for_the_next_time(told: World) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("there one writes at a time")
    now = after(told, 366)
    with ThreadPoolExecutor(1) as beside, transaction.atomic():
        Alert.objects.select_for_update().get()
        beside.submit(_thin_all, now).result(timeout=20)
    assert Alert.objects.exists() and Incident.objects.exists()
    assert not AlertHistory.objects.exists()
    thinned(now)
    assert not rows()


def test_alerts_that_fire_again_meanwhile_are_not_lost(world: World) -> None:
    names = [f"host-{number}" for number in range(400)]
    for status in ("firing", "resolved"):
        payload = [{"name": "Down", "labels": {"instance": name}, "status": status} for name in names]
        world.post(payload)
        world.work()
    world.forward(minutes=6)
    world.now += timedelta(days=400)
    with ThreadPoolExecutor(2) as beside:
        thinning = [beside.submit(_thin_all, world.now) for _ in range(2)]
        for start in range(0, len(names), 20):
            some = names[start : start + 20][::-1]
            _post_as_the_committer(world, [{"name": "Down", "labels": {"instance": name}} for name in some])
        total = sum(future.result(timeout=60) for future in thinning)
    assert total > 0
    assert Alert.objects.filter(status=Alert.FIRING).count() == len(names)
    pending = AlertHistory.objects.filter(decision=AlertHistory.PENDING)
    assert pending.exclude(alert=None).count() == len(names)
    world.work()
    assert Incident.objects.filter(status=Incident.OPEN).count() == len(names)


def _post_as_the_committer(world: World, payload: list[Any]) -> None:
    """What was undone, as somebody else was in its way, is tried again."""
    for final in (False, False, True):
        try:
            world.post(payload)
            return
        except OperationalError:
            if final:
                raise


def _thin_all(now: datetime) -> int:
    """Thin in a thread of its own."""
    try:
        return thinned(now)
    finally:
        connection.close()


def test_no_step_reads_a_whole_table(told: World) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("plans are read on SQLite")
    parked.park(unread=parked.Unread(b"?", "", "", "not JSON", "t"), now=told.now)
    told.resolve(instance="never-fired")
    PipelineRun.objects.filter(reason="fired").update(state=PipelineRun.FAILED)
    Delivery.objects.filter(kind="firing").update(state=Delivery.DEAD)
    with counted() as asked:
        for days in (91, 366, 366, 366):
            thin(after(told, days))
    assert not rows()
    asked = [query for query in asked if query.startswith(("SELECT", "DELETE"))]
    assert len(asked) > 40
    with connection.cursor() as cursor:
        for query in asked:
            cursor.execute(f"EXPLAIN QUERY PLAN {query.replace('%', '%%')}")
            plan = [row[3] for row in cursor.fetchall()]
            assert not [step for step in plan if re.match(r"SCAN (?!json_each|\(subquery)", step)], (
                query,
                plan,
            )


def test_nothing_that_refers_to_what_goes_is_forgotten() -> None:
    """Whoever adds a foreign key to one of these lets go of its rows in ``retention.py``, before them."""
    goes = {Incident, Alert, AlertHistory, PipelineRun, StageExecution, Delivery}
    refers = {
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and _target(field) in goes
    }
    assert refers == {
        "Alert.incident", "AlertHistory.alert", "AlertHistory.incident", "Delivery.incident",
        "PipelineRun.incident", "StageExecution.run", "Thread.incident",
    }  # fmt: skip


def _target(field: "models.ForeignKey[Any, Any]") -> Any:
    return field.remote_field.model
