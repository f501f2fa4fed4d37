"""ANALYZE: what a provider makes of the incident and the checks."""

from collections.abc import Sequence

from django.conf import settings
from pydantic import Field, field_validator

from tocsin.core.errors import UnknownPlugin
from tocsin.intelligence import services as intelligence
from tocsin.intelligence.providers import Evidence, providers
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk


class Config(NodeConfig):
    """Whom to ask."""

    provider: str = Field(default=intelligence.DEFAULT, description="The provider's name")

    @field_validator("provider")
    @classmethod
    def _is_there(cls, value: str) -> str:
        try:
            providers.get(value)
        except UnknownPlugin as error:
            raise ValueError(str(error)) from error
        return value


class Node(BatchNode[Config]):
    """Gives recommendations."""

    Config = Config

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        return [self._outcome(walk) for walk in walks]

    def _outcome(self, walk: Walk) -> Outcome:
        news, checks = walk.news, walk.last("context", "check").get("checks", {})
        evidence = Evidence(
            title=news.title,
            severity=news.severity,
            status=news.status,
            annotations=[change.annotations for change in news.changes],
            labels=[change.labels for change in news.changes],
            checks=[(name, found["status"], found["message"]) for name, found in checks.items()],
            instance=settings.INSTANCE_ID,
        )
        recommendations = intelligence.analyze(evidence, self.config.provider)
        return Outcome(
            input={"provider": self.config.provider},
            output={
                "recommendations": [
                    {"title": r.title, "advice": r.advice, "evidence": r.evidence, "severity": r.severity}
                    for r in recommendations
                ]
            },
        )
