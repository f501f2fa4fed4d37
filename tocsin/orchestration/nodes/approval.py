"""A question to a person: the run goes on when somebody says yes, and otherwise when somebody says no or
nobody says anything in time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import Field

from tocsin.orchestration.definition import NEXT, OTHERWISE
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk


class Config(NodeConfig):
    """What is asked, and how long the answer may take."""

    question: str = Field(default="Go on?", max_length=300, description="What people are asked")
    seconds: float = Field(default=3_600, gt=0, le=30 * 86_400, description="How long they may take")


class Node(BatchNode[Config]):
    """Gives who said what."""

    Config = Config
    branches = True

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        return [self._outcome(walk, context.now, name) for walk in walks]

    def _outcome(self, walk: Walk, now: datetime, name: str) -> Outcome:
        given = {"question": self.config.question}
        said = walk.waiting.get(name)
        if said is None:
            until = now + timedelta(seconds=self.config.seconds)
            asked = {"question": self.config.question, "until": until.isoformat()}
            return Outcome(given, asked, wake_at=until)
        until = datetime.fromisoformat(said["until"])
        if "approved" in said:
            return Outcome(given, said, exit=NEXT if said["approved"] else OTHERWISE)
        if now < until:
            return Outcome(given, said, wake_at=until)
        return Outcome(given, {**said, "reason": "nobody answered in time"}, exit=OTHERWISE)

    def rehearse(self, walk: Walk, context: Context, name: str) -> Outcome:
        until = context.now + timedelta(seconds=self.config.seconds)
        return Outcome(
            {"question": self.config.question}, {"question": self.config.question, "until": until.isoformat()}
        )
