"""The tasks' own work, done at once in this process."""

from collections.abc import Iterator

import pytest

from tests.world import World
from tocsin.celery import app
from tocsin.core import clock
from tocsin.orchestration import definitions, tasks
from tocsin.orchestration.models import PipelineRun, StageExecution

NAMES = {
    "orchestrate_event", "alerts_ingest", "run_diagnostics", "analyze_incident", "notify_channels",
    "run_pipeline_task", "resume_pipeline_task", "start_pipeline_task", "sweep", "watch_monitors",
}  # fmt: skip


@pytest.fixture(autouse=True)
def eager() -> Iterator[None]:
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    yield
    app.conf.task_always_eager = app.conf.task_eager_propagates = False


def stages() -> list[str]:
    return list(StageExecution.objects.order_by("pk").values_list("stage", flat=True))


def test_the_names_that_others_send_to_are_there() -> None:
    app.loader.import_default_modules()
    assert set(app.tasks) >= NAMES


def test_what_came_in_is_decided_over_and_told(world: World) -> None:
    world.channel()
    world.fire()
    assert tasks.orchestrate_event.delay().get() == 1
    assert stages() == ["INGEST", "CHECK", "ANALYZE", "NOTIFY"]
    assert [sent["kind"] for sent in world.sent] == ["firing"]
    assert PipelineRun.objects.get().state == PipelineRun.NOTIFIED
    assert tasks.orchestrate_event.delay().get() == 0


def test_each_task_of_the_chain_walks_as_far_as_it_is_to(world: World) -> None:
    world.fire()
    run_ids = [_begun(world)]
    expected = {
        "alerts_ingest": ("INGESTED", 1), "run_diagnostics": ("CHECKED", 2),
        "analyze_incident": ("ANALYZED", 3), "notify_channels": ("NOTIFIED", 4),
    }  # fmt: skip
    for name, (state, done) in expected.items():
        for _ in range(2):  # a message that comes twice changes nothing
            app.tasks[name].delay(run_ids)
            run = PipelineRun.objects.get()
            assert (run.state, len(stages()), run.lease) == (state, done, "")
    assert run.due_at is None


def _begun(world: World) -> str:
    """A run that nobody has taken yet."""
    world.work()
    PipelineRun.objects.all().delete()
    return str(tasks.services.begin(incident_id=world.incident().pk, now=clock.now()).run_id)


def test_what_no_message_told_of_the_sweep_finds(world: World) -> None:
    world.channel()
    world.fire()
    tasks.sweep.delay()
    assert [sent["kind"] for sent in world.sent] == ["firing"]


def test_a_run_is_started_and_resumed_by_name(world: World) -> None:
    world.fire()
    world.work()
    nodes = [
        {
            "id": "fails",
            "type": "transform",
            "config": {"templates": {"x": "{{ no }}"}},
            "retry": {"tries": 1},
        }
    ]
    definitions.put(name="mine", document={"version": "1.0", "nodes": nodes}, now=world.now)
    run_id = tasks.start_pipeline_task.delay(world.incident().pk, "mine").get()
    run = PipelineRun.objects.get(pk=run_id)
    assert (run.state, run.stages.count()) == (PipelineRun.FAILED, 1)
    tasks.resume_pipeline_task.delay(run_id)
    assert run.stages.count() == 2
