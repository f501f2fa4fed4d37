"""How one graph, which need not be stored, would take an incident's news: nothing is sent or kept."""

import msgspec
from django.db import transaction

from tocsin.alerts.intake.journal import Journal, Post
from tocsin.alerts.news import News
from tocsin.core.errors import Rejected
from tocsin.orchestration import services, taking
from tocsin.orchestration.graph import Graph
from tocsin.orchestration.nodes import Context, Walk
from tocsin.orchestration.preview import PreviewedStage, rehearsal
from tocsin.orchestration.recall import recall


class Trial(msgspec.Struct):
    """What each node would give for one incident, of ``incidents`` that a post would make news of; ``exits``
    tells by which way each would be left, ``labels`` what matchers see."""

    title: str
    labels: dict[str, str]
    incidents: int
    stages: list[PreviewedStage]
    exits: dict[str, str]


def on_post(graph: Graph, post: Post, context: Context) -> Trial:
    """What would come of a post. Raises Unavailable; Rejected where nobody would be told of it."""
    with transaction.atomic():
        news = taking.decide(post, Journal(), context.now).news
        transaction.set_rollback(True)
    if not news:
        raise Rejected("it tells nothing new, or people are not told of it: no run would begin")
    return _tried(graph, news[0], context, len(news))


def on_incident(graph: Graph, incident_id: int, context: Context) -> Trial:
    """How an incident would be taken as it stands. Raises Unknown."""
    run = services.about(incident_id=incident_id, now=context.now)
    return _tried(graph, recall([run])[run.run_id], context)


def _tried(graph: Graph, news: News, context: Context, incidents: int = 1) -> Trial:
    walk = Walk("", news, graph)
    stages = list(rehearsal(walk, context))
    labels = {"severity": news.severity, **news.labels}
    exits = {name: done.exit for name, done in walk.done.items()}
    return Trial(news.title, labels, incidents, stages, exits)
