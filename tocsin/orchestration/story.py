"""The whole story of one thing: what came in, what was decided and why, what ran, what was sent.

Pure reading, each question an index look-up, each list bounded to its newest rows.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from django.db.models import Model, QuerySet

from tocsin.alerts import models as alerts
from tocsin.core.errors import Rejected
from tocsin.db import bulk
from tocsin.notify import models as notify
from tocsin.orchestration.models import PipelineRun, PipelineVersion, StageExecution

S = TypeVar("S", bound=msgspec.Struct)

LIMIT: Final = 100
_NUMBER: Final = re.compile(r"#?([0-9]{1,18})")
_IGNORED = (
    "SELECT id FROM alerts_alerthistory WHERE fingerprint = %s AND decision = 'ignored' ORDER BY id DESC"
)


class Entry(msgspec.Struct):
    """One row of the journal: a change that came in or what a person did, and what was decided.

    ``decision`` is empty while it waits for correlation; ``at`` is by the source's clock.
    """

    id: int
    received_at: datetime
    at: datetime
    kind: str
    name: str
    fingerprint: str
    severity: str
    source: str
    trace_id: str
    actor: str
    decision: str
    reason: str
    incident_id: int | None

    @property
    def is_action(self) -> bool:
        """Whether a person did it; else ``actor`` is the source that told of it, if it has a name."""
        return self.decision == alerts.AlertHistory.ACTION


class Stage(msgspec.Struct):
    """One try of one node: what went in, what came out, and the way it was left by. ``note`` is what it
    found, in a few words."""

    id: int
    stage: str
    type: str
    exit: str
    state: str
    attempt: int
    started_at: datetime
    duration_ms: float
    error: str
    note: str
    input: dict[str, Any]
    output: dict[str, Any]


class Waiting(msgspec.Struct):
    """A node that a run waits at: for a time, or where it asks something for a person."""

    node: str
    type: str
    until: str
    question: str


class Run(msgspec.Struct):
    """One walk through a pipeline; ``due_at`` is when somebody looks at it next, ``definition`` is empty
    where it walks the built-in stages or its definition is removed."""

    run_id: str
    trace_id: str
    incident_id: int | None
    definition: str
    version: int | None
    reason: str
    state: str
    attempts: int
    last_error: str
    created_at: datetime
    finished_at: datetime | None
    due_at: datetime | None
    changes: list[int]
    waiting: list[Waiting]
    stages: list[Stage]


class Delivery(msgspec.Struct):
    """One message to one channel; ``due_at`` is when it is tried next."""

    id: str
    run_id: str
    incident_id: int | None
    channel: str
    driver: str
    kind: str
    state: str
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    latency_ms: float | None
    answer: str
    last_error: str
    due_at: datetime | None
    folded_into: str
    failures: list[Any]


class Incident(msgspec.Struct):
    """An incident as it stands now."""

    id: int
    title: str
    status: str
    severity: str
    labels: dict[str, str]
    firing: int
    total: int
    trace_id: str
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    assigned_to: str
    resolved_at: datetime | None
    closed_at: datetime | None


class Story(msgspec.Struct):
    """What is known of one thing; ``cut`` names the lists of which only the newest rows are here."""

    about: str
    id: str
    incidents: list[Incident]
    entries: list[Entry]
    runs: list[Run]
    deliveries: list[Delivery]
    cut: list[str]

    def moments(self) -> Iterator[tuple[datetime, Entry | Run | Delivery]]:
        """When each of it happened.

        A run bears the time at which its worker's turn began, which may be before the alert came in that
        the turn still took up: what follows from something is told after it.
        """
        came_in = {entry.id: entry.received_at for entry in self.entries}
        began: dict[str, datetime] = {}
        for entry in self.entries:
            yield entry.received_at, entry
        for run in self.runs:
            began[run.run_id] = max(
                [run.created_at, *(came_in[key] for key in run.changes if key in came_in)]
            )
            yield began[run.run_id], run
        for sent in self.deliveries:
            at = sent.sent_at or sent.created_at
            yield max(at, began.get(sent.run_id, at)), sent


class _Found(msgspec.Struct):
    """The rows of a story, in the order they came."""

    entries: list[alerts.AlertHistory]
    runs: list[PipelineRun]
    deliveries: list[notify.Delivery]
    incident_id: int | None = None

    def cut(self) -> list[str]:
        """Keep what is shown; return the names of the lists that held more."""
        longer = [name for name in ("entries", "runs", "deliveries") if len(getattr(self, name)) > LIMIT]
        for name in longer:
            setattr(self, name, getattr(self, name)[-LIMIT:])
        return longer


def tell(asked: str) -> Story:
    """The story of a trace id, alert fingerprint, incident number, run id or delivery id.

    Raises Rejected where nothing answers to it.
    """
    name = asked.strip()
    for about, find in _FINDERS:
        found = find(name)
        if found is not None:
            return _story(about, name.removeprefix("#"), found)
    raise Rejected(
        f"nothing here is known as {name[:80]!r}: give a trace id, an alert fingerprint, an incident number, "
        "a run id or a delivery id. A post that only repeats what is known leaves nothing behind"
    )


def runs(*, limit: int, state: str | None = None) -> list[Run]:
    """The newest runs, newest first; of one ``state`` where it is given."""
    rows = PipelineRun.objects.order_by("-pk")
    if state is not None:
        rows = rows.filter(state=state)
    if state not in (None, *PipelineRun.OVER):  # unfinished ones are few, and indexed
        rows = rows.filter(due_at__isnull=False)
    return told_runs(list(rows[:limit]))


def told_runs(found: Sequence[PipelineRun]) -> list[Run]:
    """Runs with their stages."""
    stages = _stages(run.pk for run in found)
    versions = PipelineVersion.objects.select_related("definition").in_bulk(
        {run.version_id for run in found if run.version_id is not None}
    )
    return [_told(run, versions.get(run.version_id), stages.get(run.pk, [])) for run in found]


def _told(run: PipelineRun, version: PipelineVersion | None, stages: list[Stage]) -> Run:
    return plain(
        Run,
        run,
        definition=version.definition.name if version else "",
        version=version.number if version else None,
        waiting=[] if run.due_at is None else list(_waiting(stages)),
        stages=stages,
    )


def _waiting(stages: Iterable[Stage]) -> Iterator[Waiting]:
    """Of each node the last word counts; one that was answered waits for a worker alone."""
    for last in {stage.stage: stage for stage in stages}.values():
        said = last.output
        if last.state == StageExecution.WAITING and "approved" not in said:
            yield Waiting(last.stage, last.type, said.get("until", ""), said.get("question", ""))


def _incident(name: str) -> _Found | None:
    number = _NUMBER.fullmatch(name)
    key = int(number[1]) if number else 0
    if not key or not alerts.Incident.objects.filter(pk=key).exists():
        return None
    entries = _newest(alerts.AlertHistory.objects.filter(incident_id=key))
    runs = _newest(PipelineRun.objects.filter(incident_id=key))
    return _Found(entries, runs, _newest(_deliveries().filter(incident_id=key)), key)


def _trace(name: str) -> _Found | None:
    entries = _newest(alerts.AlertHistory.objects.filter(trace_id=name))
    runs = _newest(PipelineRun.objects.filter(trace_id=name))
    if not entries:
        return _of_runs(runs) if runs else None
    return _with_runs(entries, runs)


def _run(name: str) -> _Found | None:
    runs = list(PipelineRun.objects.filter(pk=name))
    return _of_runs(runs) if runs else None


def _delivery(name: str) -> _Found | None:
    found = _deliveries().filter(pk=name).first()
    if found is None:
        return None
    around = _of_runs(list(PipelineRun.objects.filter(pk=found.run_id)))
    return _Found(around.entries, around.runs, [found])


def _fingerprint(name: str) -> _Found | None:
    alert = alerts.Alert.objects.filter(fingerprint=name).values_list("pk", flat=True).first()
    keys: set[int] = set()
    if alert is not None:
        keys.update(_newest(alerts.AlertHistory.objects.filter(alert_id=alert).values_list("pk", flat=True)))
    keys.update(row[0] for row in bulk.fetch(f"{_IGNORED} LIMIT {LIMIT + 1}", [name]))
    return _with_runs(_newest(alerts.AlertHistory.objects.filter(pk__in=keys))) if keys else None


_FINDERS: Final[tuple[tuple[str, Callable[[str], _Found | None]], ...]] = (
    ("incident", _incident),
    ("trace", _trace),
    ("run", _run),
    ("delivery", _delivery),
    ("alert", _fingerprint),
)


def _newest(rows: QuerySet[Any]) -> list[Any]:
    """The newest rows in the order they came, one more than is shown."""
    return list(rows.order_by("-pk")[: LIMIT + 1])[::-1]


def _deliveries() -> QuerySet[notify.Delivery]:
    return notify.Delivery.objects.select_related("channel").defer("message")


def _with_runs(entries: list[alerts.AlertHistory], besides: Iterable[PipelineRun] = ()) -> _Found:
    """These entries with the runs that tell of them, and those ``besides``. Changes that came together share
    a run, which carries the trace of the first of them: hence the look at the incident's runs, too."""
    traces = {entry.trace_id for entry in entries}
    incidents = {entry.incident_id for entry in entries if entry.incident_id is not None}
    near = [
        *_newest(PipelineRun.objects.filter(trace_id__in=traces)),
        *_newest(PipelineRun.objects.filter(incident_id__in=incidents)),
    ]
    told = {entry.pk for entry in entries}
    runs = {run.pk: run for run in [*besides, *(r for r in near if told.intersection(r.changes))]}
    return _Found(entries, [runs[key] for key in sorted(runs)], _sent_by(runs))


def _of_runs(runs: list[PipelineRun]) -> _Found:
    changes = [key for run in runs for key in run.changes][: LIMIT + 1]
    entries = _newest(alerts.AlertHistory.objects.filter(pk__in=changes))
    return _Found(entries, runs, _sent_by(run.pk for run in runs))


def _sent_by(run_ids: Iterable[str]) -> list[notify.Delivery]:
    return _newest(_deliveries().filter(run_id__in=list(run_ids)))


def _story(about: str, name: str, found: _Found) -> Story:
    cut = found.cut()
    keys = {found.incident_id, *(entry.incident_id for entry in found.entries)}
    keys |= {run.incident_id for run in found.runs} | {sent.incident_id for sent in found.deliveries}
    incidents = alerts.Incident.objects.filter(pk__in=[key for key in keys if key is not None])
    names = _names(found.entries)
    return Story(
        about=about,
        id=name,
        incidents=[plain(Incident, row) for row in incidents.order_by("pk")],
        entries=[plain(Entry, row, name=names.get(row.alert_id, "")) for row in found.entries],
        runs=told_runs(found.runs),
        deliveries=[
            plain(Delivery, row, channel=row.channel.name, driver=row.channel.driver)
            for row in found.deliveries
        ],
        cut=cut,
    )


def plain(kind: type[S], row: Model, **told: Any) -> S:
    """A row as plain values: its columns by name, and what is ``told`` besides."""
    columns = (name for name in kind.__struct_fields__ if name not in told)
    return kind(**{name: getattr(row, name) for name in columns}, **told)


def _names(entries: Iterable[alerts.AlertHistory]) -> dict[int | None, str]:
    keys = {entry.alert_id for entry in entries if entry.alert_id is not None}
    return dict(alerts.Alert.objects.filter(pk__in=keys).values_list("pk", "name"))


def _stages(run_ids: Iterable[str]) -> dict[str, list[Stage]]:
    found: dict[str, list[Stage]] = {}
    for row in StageExecution.objects.filter(run_id__in=list(run_ids)).order_by("pk"):
        found.setdefault(row.run_id, []).append(plain(Stage, row, note=note(row.type, row.output)))
    return found


def note(type: str, output: dict[str, Any]) -> str:
    """What a stage gave, in a few words."""
    if output.get("reason"):
        return str(output["reason"])
    tell = _NOTES.get(type)
    return tell(output) if tell else ""


def _ingested(output: dict[str, Any]) -> str:
    changed = len(output.get("alerts", []))
    return f"{changed} alert{'' if changed == 1 else 's'}" if changed else ""


def _status(output: dict[str, Any]) -> str:
    return str(output.get("status", ""))


def _found(output: dict[str, Any]) -> str:
    return ", ".join(found["title"] for found in output.get("recommendations", [])[:3])


def _told_to(output: dict[str, Any]) -> str:
    return ", ".join(sent["channel"] for sent in output.get("deliveries", [])[:10])


def _answer(output: dict[str, Any]) -> str:
    if "approved" not in output:
        return f"asks: {output.get('question', '')}"
    return f"{output.get('by', '')} said {'yes' if output['approved'] else 'no'}"


def _ran(output: dict[str, Any]) -> str:
    asked = f"{output.get('command', '')} on {output.get('instance', '')}"
    code = output.get("exit_code")
    return asked if code is None else f"{asked}: exit code {code}"


def _until(output: dict[str, Any]) -> str:
    return f"until {output['until'][:19].replace('T', ' ')} UTC" if output.get("until") else ""


def _holds(output: dict[str, Any]) -> str:
    return "it holds" if output.get("result") else "it does not hold"


def _answered(output: dict[str, Any]) -> str:
    return f"HTTP {output['status']}" if output.get("status") else ""


def _added(output: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in output.get("labels", {}).items())


_NOTES: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "ingest": _ingested,
    "context": _status,
    "check": _status,
    "intelligence": _found,
    "notify": _told_to,
    "approval": _answer,
    "wait": _until,
    "condition": _holds,
    "http": _answered,
    "enrich": _added,
    "run_command": _ran,
}
