"""How runs do."""

import pytest
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tests.world import World
from tocsin.orchestration.models import PipelineRun, StageExecution


def failed_run(world: World) -> PipelineRun:
    """A run that broke down in its second stage."""
    world.fire()
    world.work()
    run = PipelineRun.objects.get()
    StageExecution.objects.filter(run=run).exclude(stage__in=("INGEST", "CHECK")).delete()
    StageExecution.objects.filter(run=run, stage="CHECK").update(state="failed", error="no answer", output={})
    PipelineRun.objects.update(state=PipelineRun.FAILED, last_error="no answer")
    return run


def test_newest_first(world: World) -> None:
    world.fire("DiskFull", "db-1")
    world.work()
    world.fire("HighCPU", "web-1")
    world.work()
    found = tocsin_json("monitor_pipeline")["runs"]
    assert [run["run_id"] for run in found] == list(
        PipelineRun.objects.order_by("-pk").values_list("pk", flat=True)
    )
    assert len(tocsin_json("monitor_pipeline", "--limit", "1")["runs"]) == 1
    assert tocsin("monitor_pipeline").count("✓✓✓✓") == 2


def test_by_state(world: World) -> None:
    run = failed_run(world)
    told = tocsin("monitor_pipeline", "--status", "failed")
    assert run.pk in told and "✓✗" in told and "no answer" in told
    for state in ("NOTIFIED", "RETRYING", "PENDING"):
        assert tocsin_json("monitor_pipeline", "--status", state) == {"runs": []}
        assert "There is no such run" in tocsin("monitor_pipeline", "--status", state)


def test_one_in_full(world: World) -> None:
    run = failed_run(world)
    told = tocsin("monitor_pipeline", "--run-id", run.pk)
    assert "✗ CHECK" in told and "INGEST, try 1" in told and '"reason": "fired"' in told
    found = tocsin_json("monitor_pipeline", "--run-id", run.pk)
    assert [snapshot["stage"] for snapshot in found["snapshots"]] == ["INGEST", "CHECK"]


def test_what_is_no_run(world: World) -> None:
    world.fire()
    world.work()
    with pytest.raises(CommandError, match="is not a run but incident"):
        tocsin("monitor_pipeline", "--run-id", f"#{world.incident().pk}")
    with pytest.raises(CommandError, match="give a number from 1 to"):
        tocsin("monitor_pipeline", "--limit", "0")
