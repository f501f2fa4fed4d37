"""ANALYZE: what a provider makes of the incident and the checks."""

from collections.abc import Sequence

from django.conf import settings

from tocsin.intelligence import services as intelligence
from tocsin.intelligence.providers import Evidence
from tocsin.orchestration.nodes import BaseNode, Context, Outcome, Walk


class Node(BaseNode):
    """Gives recommendations."""

    def run(self, walks: Sequence[Walk], context: Context) -> list[Outcome]:
        return [_outcome(walk) for walk in walks]


def _outcome(walk: Walk) -> Outcome:
    news, checks = walk.news, walk.outputs.get("CHECK", {}).get("checks", {})
    evidence = Evidence(
        title=news.title,
        severity=news.severity,
        status=news.status,
        annotations=[change.annotations for change in news.changes],
        labels=[change.labels for change in news.changes],
        checks=[(name, found["status"], found["message"]) for name, found in checks.items()],
        instance=settings.INSTANCE_ID,
    )
    recommendations = intelligence.analyze(evidence)
    return Outcome(
        input={"provider": intelligence.DEFAULT},
        output={
            "recommendations": [
                {"title": r.title, "advice": r.advice, "evidence": r.evidence, "severity": r.severity}
                for r in recommendations
            ]
        },
    )
