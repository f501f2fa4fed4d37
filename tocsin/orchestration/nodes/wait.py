"""A pause: what follows is done after a while, if it is still needed then."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import Field

from tocsin.alerts.models import Incident
from tocsin.orchestration.definition import NEXT, OTHERWISE
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk

LONGEST = 30 * 86_400.0


class Config(NodeConfig):
    """How long, and whether an incident that is over meanwhile ends it."""

    seconds: float = Field(gt=0, le=LONGEST, description="How long")
    while_open: bool = Field(default=False, description="Go on by otherwise as soon as the incident is over")


class Node(BatchNode[Config]):
    """Gives until when it waited."""

    Config = Config
    branches = True

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        over = self._over(walks)
        return [self._outcome(walk, context.now, name, walk.news.incident_id in over) for walk in walks]

    def _outcome(self, walk: Walk, now: datetime, name: str, over: bool) -> Outcome:
        given = {"seconds": self.config.seconds}
        said = walk.waiting.get(name)
        until = (
            datetime.fromisoformat(said["until"]) if said else now + timedelta(seconds=self.config.seconds)
        )
        output = {"until": until.isoformat()}
        if over:
            return Outcome(given, {**output, "reason": "the incident is over"}, exit=OTHERWISE)
        if now < until:
            return Outcome(given, output, wake_at=until)
        return Outcome(given, output, exit=NEXT)

    def _over(self, walks: Sequence[Walk]) -> set[int]:
        if not self.config.while_open:
            return set()
        asked = Incident.objects.filter(pk__in={walk.news.incident_id for walk in walks})
        return set(asked.filter(status__in=(Incident.RESOLVED, Incident.CLOSED)).values_list("pk", flat=True))

    def rehearse(self, walk: Walk, context: Context, name: str) -> Outcome:
        until = context.now + timedelta(seconds=self.config.seconds)
        return Outcome({"seconds": self.config.seconds}, {"until": until.isoformat()})
