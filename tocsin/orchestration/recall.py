"""A run's news, read back from what is stored: for runs that another worker began."""

from collections.abc import Iterable

from tocsin.alerts.models import AlertHistory, Incident
from tocsin.alerts.news import ChangedAlert, News
from tocsin.alerts.transition import ENDING
from tocsin.orchestration.models import PipelineRun


def recall(runs: Iterable[PipelineRun]) -> dict[str, News]:
    """By run, what it tells of. Runs without an incident are left out."""
    runs = list(runs)
    wanted = {history_id for run in runs for history_id in run.changes}
    entries = AlertHistory.objects.filter(pk__in=wanted).select_related("alert")
    by_id = {entry.pk: entry for entry in entries}
    incidents = Incident.objects.in_bulk([run.incident_id for run in runs if run.incident_id])
    return {
        run.run_id: _news(run, incidents[run.incident_id], [by_id[c] for c in run.changes if c in by_id])
        for run in runs
        if run.incident_id in incidents
    }


def _news(run: PipelineRun, incident: Incident, entries: list[AlertHistory]) -> News:
    status = Incident.RESOLVED if entries and entries[-1].kind in ENDING else Incident.OPEN
    actor = next((entry.actor for entry in entries if entry.actor), "")
    return News(
        incident_id=incident.pk,
        title=incident.title,
        status=status,
        severity=incident.severity,
        labels=incident.labels,
        firing=incident.firing,
        total=incident.total,
        opened_at=incident.opened_at,
        trace_id=run.trace_id,
        reason=run.reason,
        changes=[_change(entry) for entry in entries if entry.alert is not None],
        actor=actor,
    )


def _change(entry: AlertHistory) -> ChangedAlert:
    alert = entry.alert
    assert alert is not None
    return ChangedAlert(
        history_id=entry.pk,
        kind=entry.kind,
        fingerprint=alert.fingerprint,
        name=alert.name,
        severity=entry.severity,
        labels=alert.labels,
        annotations=alert.annotations,
        generator_url=alert.generator_url,
        started_at=alert.started_at,
        ended_at=entry.at if entry.kind in ENDING else None,
    )
