"""Old things let go of, in order: what refers to something goes before that does.

Each step is one short transaction over a few hundred rows at most; what is left waits for the next one.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from tocsin.alerts import retention as alerts
from tocsin.core import config
from tocsin.db import bulk
from tocsin.db.thinning import Walk, drop, hold, step
from tocsin.fleet import commands
from tocsin.notify import retention as deliveries
from tocsin.orchestration.models import PipelineRun

STEP: Final = 300  # rows
INCIDENTS: Final = 50
_LONGEST_DAYS: Final = 100_000  # from here on it is for ever

_OVER: Final = f"due_at IS NULL AND state <> '{PipelineRun.WAITING}'"
# A failed run is what dead letters are: something that nobody was told, and that people must see.
_runs = Walk(
    "orchestration_pipelinerun",
    made="created_at",
    free=f"state <> 'FAILED' AND {_OVER}",
    key="run_id",
    first="",
)


def thin(now: datetime) -> int:
    """Let go of some of what is older than it is to be kept; return how many rows."""
    return _runs_and_messages(now) + _incidents_and_record(now)


def _runs_and_messages(now: datetime) -> int:
    before = _kept_since("TOCSIN_KEEP_RUNS", now)
    if before is None:
        return 0
    return (
        step(deliveries.drop_sent, before, STEP)
        + step(_drop_runs, _runs.find(before, STEP, deliveries.of_runs))
        + step(alerts.drop_parked, before, STEP)
        + step(commands.drop_old, before, STEP)
    )


def _incidents_and_record(now: datetime) -> int:
    before = _kept_since("TOCSIN_KEEP_INCIDENTS", now)
    if before is None:
        return 0
    return (
        step(deliveries.drop_dead, before, STEP)
        + step(_drop_runs, _failed_runs(before))
        + step(_drop_incidents, before)
        + step(alerts.drop_loose_record, before, STEP)
    )


def _kept_since(setting: str, now: datetime) -> datetime | None:
    """What is older goes; None where all is kept."""
    days = config.number(setting)
    return now - timedelta(days=days) if 0 < days < _LONGEST_DAYS else None


def _failed_runs(before: datetime) -> list[str]:
    # In the words of the index ``run_troubled``: from a shorter condition SQLite does not conclude it.
    failed = f"state IN ('FAILED', 'RETRYING') AND state = 'FAILED' AND created_at < %s AND {_OVER}"
    sql = f"SELECT run_id FROM orchestration_pipelinerun WHERE {failed} LIMIT %s"  # noqa: S608
    found = [row[0] for row in bulk.fetch(sql, [bulk.moment(before), STEP])]
    return sorted(set(found) - deliveries.of_runs(found)) if found else []


def _drop_runs(run_ids: Sequence[str]) -> int:
    if not run_ids:
        return 0
    with bulk.transaction():
        return _drop_runs_and_stages(run_ids, STEP)


def _drop_runs_and_stages(run_ids: Sequence[str], most: int) -> int:
    held = hold("orchestration_pipelinerun", run_ids, _OVER, key="run_id")
    where, params = bulk.among("run_id", held)
    stages = drop("orchestration_stageexecution", where, params, most)
    left = "SELECT 1 FROM orchestration_stageexecution s WHERE s.run_id = orchestration_pipelinerun.run_id"
    bare = f"{where} AND {_OVER} AND NOT EXISTS ({left})"
    return stages + drop("orchestration_pipelinerun", bare, params, most - stages, key="run_id")


def _drop_incidents(before: datetime) -> int:
    found = alerts.old_incidents(before, INCIDENTS, _under_way)
    if not found:
        return 0
    left = STEP
    with bulk.transaction():
        found = alerts.hold_incidents(found)
        left -= deliveries.drop_of(found, left)
        left -= _drop_runs_of(found, left)
        left -= alerts.drop_record(found, left)
        left -= alerts.drop_alerts(found, before, left)
        held = _with_runs(found) | deliveries.left(found)
        left -= alerts.drop_incidents([key for key in found if key not in held], left)
    return STEP - left


def _under_way(incident_ids: Collection[int]) -> set[int]:
    """Those of these incidents for which something is still to be done."""
    return deliveries.unfinished(incident_ids) | _with_runs(incident_ids, f" AND NOT ({_OVER})")


def _with_runs(incident_ids: Collection[int], which: str = "") -> set[int]:
    where, params = bulk.among("incident_id", incident_ids)
    sql = f"SELECT DISTINCT incident_id FROM orchestration_pipelinerun WHERE {where}{which}"  # noqa: S608
    return {row[0] for row in bulk.fetch(sql, params)}


def _drop_runs_of(incident_ids: Collection[int], most: int) -> int:
    if most <= 0:
        return 0
    where, params = bulk.among("incident_id", incident_ids)
    sql = f"SELECT run_id FROM orchestration_pipelinerun WHERE {where} AND {_OVER} LIMIT %s"  # noqa: S608
    run_ids = [row[0] for row in bulk.fetch(sql, [*params, most])]
    return _drop_runs_and_stages(run_ids, most) if run_ids else 0
