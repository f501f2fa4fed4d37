"""What a payload would do, without doing it: the real steps, in a transaction that is undone."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import msgspec
from django.db import transaction
from django.db.models import Max

from tocsin.alerts.correlate.step import correlate, pending
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.alerts.models import AlertHistory, Incident
from tocsin.alerts.news import News
from tocsin.checkers.services import CheckSet
from tocsin.core.errors import TocsinError, Unavailable
from tocsin.core.labels import fingerprint
from tocsin.orchestration.engine import STAGES
from tocsin.orchestration.nodes import Context, Walk, nodes

ENTRIES_AT_A_TIME, MOST_ENTRIES = 500, 5_000
NOTHING_NEW: Final = "nothing new: the alert is known to be so"


class PreviewedAlert(msgspec.Struct):
    """One alert as it would be read, and what would be decided; ``change`` is empty where it tells
    nothing new."""

    name: str
    status: str
    severity: str
    started_at: datetime | None
    ended_at: datetime | None
    labels: dict[str, str]
    annotations: dict[str, str]
    fingerprint: str
    change: str = ""
    decision: str = NOTHING_NEW


class PreviewedStage(msgspec.Struct):
    """What a stage would give, or why it would fail."""

    stage: str
    output: dict[str, Any]
    error: str = ""


class PreviewedRun(msgspec.Struct):
    """A run that would start, and the channels it would tell."""

    reason: str
    title: str
    status: str
    new_incident: bool
    stages: list[PreviewedStage]
    channels: list[str]


class Preview(msgspec.Struct):
    """All of it."""

    alerts: list[PreviewedAlert]
    runs: list[PreviewedRun]


def preview(post: Post, checks: CheckSet, now: datetime) -> Preview:
    """What would come of a post. Raises Unavailable while too much else waits to be decided."""
    with _undone():
        newest = Incident.objects.aggregate(pk=Max("pk"))["pk"] or 0
        Journal().commit([post])
        news = [item for item in _correlate(post.trace_id, now) if item.trace_id == post.trace_id]
        decided = {row.fingerprint: row for row in AlertHistory.objects.filter(trace_id=post.trace_id)}
    return Preview(
        [_alert(event, decided) for event in post.events],
        [_run(item, Context(now, checks), item.incident_id > newest) for item in news],
    )


@contextmanager
def _undone() -> Iterator[None]:
    """A transaction of which nothing remains."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _correlate(trace_id: str, now: datetime) -> list[News]:
    """Decide over all that waits, up to and with this trace, in order."""
    news: list[News] = []
    for _ in range(0, MOST_ENTRIES, ENTRIES_AT_A_TIME):
        if not AlertHistory.objects.filter(trace_id=trace_id, decision=AlertHistory.PENDING).exists():
            return news
        news += correlate(pending(ENTRIES_AT_A_TIME), now)
    raise Unavailable("too many alerts wait for correlation: try again when the worker has caught up")


def _alert(event: AlertEvent, decided: dict[str, AlertHistory]) -> PreviewedAlert:
    known = event.fingerprint or fingerprint(event.labels)
    row = decided.get(known)
    alert = PreviewedAlert(
        name=event.name,
        status=event.status,
        severity=event.severity,
        started_at=event.starts_at,
        ended_at=event.ends_at,
        labels=event.labels,
        annotations=event.annotations,
        fingerprint=known,
    )
    if row is not None:
        alert.change, alert.decision = row.kind, row.reason
    return alert


def _run(news: News, context: Context, new_incident: bool) -> PreviewedRun:
    walk = Walk("", news)
    stages = list(_stages(walk, context))
    sent = walk.outputs.get("NOTIFY", {}).get("deliveries", [])
    channels = [delivery["channel"] for delivery in sent]
    return PreviewedRun(news.reason, news.title, news.status, new_incident, stages, channels)


def _stages(walk: Walk, context: Context) -> Iterable[PreviewedStage]:
    """Each stage in turn, up to one that fails. Nodes have no effect outside: what they would send
    is left where it is."""
    for stage, node, _ in STAGES:
        try:
            output = nodes.get(node)().run([walk], context)[0].output
        except TocsinError as error:
            yield PreviewedStage(stage, {}, str(error))
            return
        walk.outputs[stage] = output
        yield PreviewedStage(stage, output)
