"""A question to a person: the run goes on when somebody says yes, and otherwise when somebody says no or
nobody says anything in time.

People are asked where they see the incident: by the channels that have a message of it which can be answered
or changed, and by those of Slack that would be told of it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from django.conf import settings
from pydantic import Field

from tocsin.core import config
from tocsin.db import bulk
from tocsin.notify import routes
from tocsin.notify import services as notify
from tocsin.notify.message import QUESTION, Question
from tocsin.notify.routes import Routes
from tocsin.notify.services import Outgoing
from tocsin.orchestration.definition import NEXT, OTHERWISE
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk

NOBODY: Final = "nobody answered in time"
ANSWERED: Final = " answered"  # no node is called so: a run has one message of a stage for each channel
_SLACK: Final = "SELECT id, name FROM notify_notificationchannel WHERE enabled = %s AND driver = 'slack'"
_THREADS: Final = """
    SELECT t.channel_id FROM notify_thread t JOIN notify_notificationchannel c ON c.id = t.channel_id
    WHERE t.incident_id = %s AND c.enabled = %s"""
_ASKED: Final = "SELECT channel_id FROM notify_delivery WHERE run_id = %s AND stage = %s"


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
            return Outcome(given, asked, wake_at=until, outgoing=self._ask(walk, until, now, name))
        until = datetime.fromisoformat(said["until"])
        if "approved" in said:
            told = self._tell(walk, until, name, f"{said['by']} said {'yes' if said['approved'] else 'no'}.")
            return Outcome(given, said, told, exit=NEXT if said["approved"] else OTHERWISE)
        if now < until:
            return Outcome(given, said, wake_at=until)
        told = self._tell(walk, until, name, f"{NOBODY.capitalize()}.")
        return Outcome(given, {**said, "reason": NOBODY}, told, exit=OTHERWISE)

    def _ask(self, walk: Walk, until: datetime, now: datetime, name: str) -> list[Outgoing]:
        if config.flag("NOTIFY_SKIP_ALL"):
            return []
        return self._addressed(walk, _where_asked(walk, now), self._question(walk, until, name), name)

    def _tell(self, walk: Walk, until: datetime, name: str, answer: str) -> list[Outgoing]:
        """Who was asked hears what came of it."""
        asked = [row[0] for row in bulk.fetch(_ASKED, [walk.run_id, name])]
        question = msgspec.structs.replace(self._question(walk, until, name), answer=answer)
        return self._addressed(walk, asked, question, f"{name[:50]}{ANSWERED}")

    def _question(self, walk: Walk, until: datetime, name: str) -> Question:
        url = f"{settings.PUBLIC_URL}/runs/{walk.run_id}/"
        return Question(walk.run_id, name, self.config.question, url, until)

    def _addressed(
        self, walk: Walk, channel_ids: Iterable[int], question: Question, stage: str
    ) -> list[Outgoing]:
        message = msgspec.structs.replace(
            notify.compose(walk.news, []), kind=QUESTION, reason="approval", asks=[question], alerts=[],
            more_alerts=0, actor="",
        )  # fmt: skip
        return notify.addressed(message, channel_ids, walk.news.incident_id, walk.run_id, stage)

    def rehearse(self, walk: Walk, context: Context, name: str) -> Outcome:
        until = context.now + timedelta(seconds=self.config.seconds)
        return Outcome(
            {"question": self.config.question}, {"question": self.config.question, "until": until.isoformat()}
        )


def _where_asked(walk: Walk, now: datetime) -> list[int]:
    """The channels that have a thread of the incident, and Slack's own that its routes lead to."""
    threads = [row[0] for row in bulk.fetch(_THREADS, [walk.news.incident_id, True])]
    in_force = routes.in_force()
    slacks = [row[0] for row in bulk.fetch(_SLACK, [True]) if _leads_to(in_force, walk, row[1], now)]
    return list(dict.fromkeys([*threads, *slacks]))


def _leads_to(in_force: Routes | None, walk: Walk, channel: str, now: datetime) -> bool:
    if in_force is None:
        return True
    labels: dict[str, Any] = walk.news.all_labels()
    if walk.news.changes:
        labels.setdefault("alertname", walk.news.changes[0].name)
    return any(channel in decision.channels for decision in in_force.of(labels, now))
