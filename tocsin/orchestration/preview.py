"""What a payload would do, without doing it: the real steps, in a transaction that is undone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Max

from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.alerts.models import AlertHistory, Incident
from tocsin.alerts.news import News
from tocsin.checkers.services import CheckSet
from tocsin.core.errors import TocsinError
from tocsin.core.labels import fingerprint
from tocsin.orchestration import services, taking
from tocsin.orchestration.definition import FAIL, FAILED, NEXT
from tocsin.orchestration.definitions import Choice
from tocsin.orchestration.nodes import Context, Done, Outcome, Walk
from tocsin.orchestration.recall import recall


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
    decision: str = taking.NOTHING_NEW


class PreviewedStage(msgspec.Struct):
    """What a stage would be given and would give, the way it would be left by, or why it would fail."""

    stage: str
    type: str
    input: dict[str, Any]
    output: dict[str, Any]
    exit: str = NEXT
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


def preview(post: Post, checks: CheckSet, now: datetime, definition: str = "") -> Preview:
    """What would come of a post, by the definition of that name or those that match. Raises Unknown, and
    Unavailable while too much else waits to be decided."""
    choice = _choice(definition)
    with _undone():
        newest = Incident.objects.aggregate(pk=Max("pk"))["pk"] or 0
        news = taking.decide(post, Journal(), now).news
        decided = {row.fingerprint: row for row in AlertHistory.objects.filter(trace_id=post.trace_id)}
    return Preview(
        [_alert(event, decided) for event in post.events],
        [_run(item, choice, Context(now, checks), item.incident_id > newest) for item in news],
    )


def preview_of_incident(
    incident_id: int, checks: CheckSet, now: datetime, definition: str = ""
) -> PreviewedRun:
    """What a run about an incident as it stands would do. Raises Unknown."""
    run = services.about(incident_id=incident_id, now=now)
    return _run(recall([run])[run.run_id], _choice(definition), Context(now, checks), False)


def _choice(definition: str) -> Choice:
    return Choice.only(definition) if definition else Choice.load()


@contextmanager
def _undone() -> Iterator[None]:
    """A transaction of which nothing remains."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


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


def _run(news: News, choice: Choice, context: Context, new_incident: bool) -> PreviewedRun:
    walk = Walk("", news, choice.of(news)[1])
    stages = list(rehearsal(walk, context))
    sent = (done.output.get("deliveries", []) for done in walk.done.values() if done.type == "notify")
    channels = [delivery["channel"] for some in sent for delivery in some]
    return PreviewedRun(news.reason, news.title, news.status, new_incident, stages, channels)


def rehearsal(walk: Walk, context: Context) -> Iterator[PreviewedStage]:
    """Each node in turn, as it would go; slow ones are not asked, nobody is waited for, and what would be
    sent is left where it is."""
    while ready := walk.graph.ready({name: done.exit for name, done in walk.done.items()}):
        for name in ready:
            step = walk.graph.steps[name]
            try:
                outcome = step.node.rehearse(walk, context, name)
            except TocsinError as error:
                yield PreviewedStage(name, step.spec.type, {}, {}, FAILED, str(error))
                if step.spec.on_failure == FAIL:
                    return
                outcome = Outcome({}, {"error": str(error)}, exit=FAILED)
            else:
                yield PreviewedStage(name, step.spec.type, outcome.input, outcome.output, outcome.exit)
            walk.leave(name, Done(step.spec.type, outcome.exit, outcome.output))
