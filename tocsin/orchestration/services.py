"""What people do: to an incident, with the run that tells others, and to a run itself."""

import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from tocsin.alerts import services as alerts
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.core import config, doorbell
from tocsin.core.errors import Rejected, Unknown
from tocsin.core.ids import new_id
from tocsin.fleet import commands
from tocsin.fleet.models import Instance
from tocsin.orchestration import engine
from tocsin.orchestration.definitions import Choice
from tocsin.orchestration.models import PipelineRun, StageExecution

MOST_CHANGES: Final = 100
POLL_SECONDS: Final = 0.05


def acknowledge(*, incident_id: int, actor: str, now: datetime) -> Incident:
    """Take an incident on. Raises Rejected where it is not open."""
    return alerts.acknowledge(incident_id=incident_id, actor=actor, now=now, trace_id=new_id())


def resolve(*, incident_id: int, actor: str, now: datetime) -> Incident:
    """Declare an incident over and tell the channels. Raises Rejected where it is over already."""
    trace_id = new_id()
    close_at = now + timedelta(seconds=config.number("TOCSIN_CLOSE_AFTER"))
    with transaction.atomic():
        incident = alerts.resolve(
            incident_id=incident_id, actor=actor, now=now, trace_id=trace_id, close_at=close_at
        )
        entry = AlertHistory.objects.filter(incident=incident, trace_id=trace_id).latest("pk")
        engine.start_by_person(entry, now)
    doorbell.ring()
    return incident


def approve(*, run_id: str, node: str, approved: bool, actor: str, now: datetime) -> None:
    """Answer what a run asks. Raises Rejected where it does not ask, or somebody has answered already."""
    with transaction.atomic():
        run = PipelineRun.objects.select_for_update().filter(pk=run_id, due_at__isnull=False).first()
        asked = StageExecution.objects.filter(run_id=run_id, stage=node).order_by("pk").last()
        if run is None or asked is None or asked.type != "approval" or asked.exit:
            raise Rejected(f"run {run_id[:64]} does not ask for an approval at {node[:64]!r}")
        if "approved" in asked.output:
            raise Rejected(f"{asked.output['by']} has answered already")
        asked.output = {**asked.output, "approved": approved, "by": actor, "at": now.isoformat()}
        asked.save(update_fields=["output"])
        # A worker that has the run in this moment loses it, and with it what it knew of the answer.
        PipelineRun.objects.filter(pk=run_id).update(due_at=now, lease="")
    doorbell.ring()


def end_command(*, instance: Instance, told: commands.Ended, now: datetime) -> None:
    """Keep how a command ended, and wake the run that waits for that. One that this instance was not asked
    for is passed over."""
    command = commands.asked_of(instance, told.id)
    if command is None:
        return
    with transaction.atomic():
        run = PipelineRun.objects.select_for_update().filter(pk=command.run_id, due_at__isnull=False).first()
        if commands.end(command, told, now) and run is not None and _waits(run.pk, command.node):
            # As with an approval: a worker that has the run in this moment loses it.
            PipelineRun.objects.filter(pk=run.pk).update(due_at=now, lease="")
    doorbell.ring()


def _waits(run_id: str, node: str) -> bool:
    last = StageExecution.objects.filter(run_id=run_id, stage=node).order_by("pk").last()
    return last is not None and last.state == StageExecution.WAITING


def begin(*, incident_id: int, definition: str = "", trace_id: str = "", now: datetime) -> PipelineRun:
    """Start a run about an incident as it stands, by a definition, or by the one that it matches. Raises
    Unknown."""
    run = about(incident_id=incident_id, trace_id=trace_id, now=now)
    engine.begin(run, Choice.only(definition) if definition else Choice.load())
    doorbell.ring()
    return run


def about(*, incident_id: int, trace_id: str = "", now: datetime) -> PipelineRun:
    """A run about an incident as it stands, not saved. Raises Unknown."""
    incident = Incident.objects.filter(pk=incident_id).first()
    if incident is None:
        raise Unknown(f"there is no incident {incident_id}")
    return PipelineRun(
        run_id=new_id(),
        trace_id=trace_id or new_id(),
        incident=incident,
        reason="manual",
        changes=_newest_changes(incident),
        created_at=now,
        due_at=now,
    )


def resume(*, run_id: str, now: datetime) -> None:
    """Let a failed run go on after its last good stage. Raises Unknown; Rejected where it has not failed."""
    run = found(run_id)
    engine.resume(run_id=run.run_id, now=now)
    doorbell.ring()


def found(run_id: str) -> PipelineRun:
    """The run of that id. Raises Unknown."""
    run: PipelineRun | None = None if "\0" in run_id else PipelineRun.objects.filter(pk=run_id).first()
    if run is None:
        raise Unknown(f"there is no run {run_id[:64]!r}")
    return run


def wait(*, run_ids: Collection[str], seconds: float) -> bool:
    """Wait until these runs are over, at most so long; say whether they are."""
    until = time.monotonic() + seconds
    while PipelineRun.objects.filter(pk__in=run_ids, due_at__isnull=False).exists():
        if time.monotonic() >= until:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _newest_changes(incident: Incident) -> list[int]:
    """Of each of its alerts that fire, the last; of all of them where none does."""
    rows = AlertHistory.objects.filter(incident=incident, alert__isnull=False).order_by("pk")
    newest = {row["alert_id"]: row for row in rows.values("pk", "alert_id", "alert__status")}
    firing = [row["pk"] for row in newest.values() if row["alert__status"] == Alert.FIRING]
    return (firing or [row["pk"] for row in newest.values()])[-MOST_CHANGES:]
