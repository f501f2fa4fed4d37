"""Of one incident people hear in the order in which it happened, whoever works on it."""

from tests.world import World
from tocsin.alerts.correlate.step import correlate, pending
from tocsin.db import bulk
from tocsin.db.work import Worker
from tocsin.orchestration import engine, starting
from tocsin.orchestration.models import PipelineRun
from tocsin.orchestration.starting import Asked


def test_a_run_waits_for_an_earlier_one_of_its_incident_that_another_worker_has(world: World) -> None:
    world.channel()
    world.fire()
    other = Worker()
    with bulk.transaction():
        engine.start(correlate(pending(10), world.now), world.now, other.token())
    world.resolve()
    world.work()
    PipelineRun.objects.release(other.name, world.now)  # it died before it walked
    world.forward(seconds=1)
    assert world.kinds() == ["firing", "resolved"]


def test_what_waits_for_an_earlier_run_is_told_to_who_asked_for_it(world: World) -> None:
    world.fire()
    with bulk.transaction():
        engine.start(correlate(pending(10), world.now), world.now, Worker().token())
    end = {"name": "HighCPU", "labels": {"instance": "web-1"}, "status": "resolved"}
    asked = Asked(payload=end, driver="generic")
    begun = starting.begin(asked, "trace-2", world.now)
    assert PipelineRun.objects.latest("pk").run_id == begun.runs[0]
