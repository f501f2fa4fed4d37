"""Pipeline nodes: one file for each. The one kind of plug-in that may use the database.

A node calls one service and hands its result on. A ``BatchNode`` does its work for many runs at a time and
makes nothing happen outside: what is to be sent it returns as ``outgoing``, commands for machines as
``orders``, both written in the transaction that advances the run. One that must wait for somebody else, such
as a server, is a ``SlowNode``: it works beside the turns, for one run, and may be asked again for the same
run after a crash.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict

from tocsin.alerts.news import News
from tocsin.checkers.services import CheckSet
from tocsin.core import secret_fields
from tocsin.core.http import Client
from tocsin.core.registry import Registry
from tocsin.fleet.commands import Order
from tocsin.notify.services import Outgoing
from tocsin.orchestration.definition import NEXT

if TYPE_CHECKING:
    from tocsin.orchestration.graph import Graph


class NodeConfig(BaseModel):
    """What a node can be told; each type has its own."""

    model_config = ConfigDict(extra="forbid")


C = TypeVar("C", bound=NodeConfig)


class Done(msgspec.Struct):
    """A node that was left, by which exit, and what it gave."""

    type: str
    exit: str
    output: dict[str, Any]


class Brought(msgspec.Struct):
    """What a slow node brought back for a run: an outcome, or why there is none."""

    outcome: "Outcome | None"
    error: str
    permanent: bool
    began: datetime
    took_ms: float


class Walk(msgspec.Struct):
    """One run on its way: what it is about, and what its nodes gave so far."""

    run_id: str
    news: News
    graph: "Graph"
    token: str = ""
    attempts: int = 1
    done: dict[str, Done] = {}
    waiting: dict[str, dict[str, Any]] = {}
    brought: dict[str, Brought] = {}

    def leave(self, name: str, done: Done) -> None:
        """A node was left. Labels that one of type ``enrich`` gave are the news's from here on."""
        self.done[name] = done
        self.waiting.pop(name, None)
        if done.type == "enrich" and (added := done.output.get("labels")):
            self.news = msgspec.structs.replace(self.news, labels={**added, **self.news.labels})

    def last(self, *types: str) -> dict[str, Any]:
        """What the last node of one of these types gave; nothing where there was none."""
        found = (done.output for done in reversed(self.done.values()) if done.type in types)
        return next(found, {})

    def document(self) -> dict[str, Any]:
        """What expressions and templates may look at."""
        news = self.news
        return {
            "run_id": self.run_id,
            "trace_id": news.trace_id,
            "reason": news.reason,
            "incident": {
                "id": news.incident_id, "title": news.title, "status": news.status,
                "severity": news.severity, "labels": news.labels, "firing": news.firing, "total": news.total,
            },
            "alerts": [
                {"fingerprint": change.fingerprint, "name": change.name, "change": change.kind,
                 "severity": change.severity, "labels": change.labels, "annotations": change.annotations}
                for change in news.changes
            ],
            "nodes": {name: done.output for name, done in self.done.items()},
        }  # fmt: skip


class Context(msgspec.Struct):
    """What nodes share during one pass."""

    now: datetime
    checks: CheckSet


class Outcome(msgspec.Struct):
    """What a node gave for one run: snapshots of its input and output, what to send, and the commands that
    instances are asked for.

    With ``wake_at`` the run waits: the node is asked again then, or when somebody wakes the run earlier,
    and finds its output in the walk's ``waiting``.
    """

    input: dict[str, Any]
    output: dict[str, Any]
    outgoing: list[Outgoing] = []
    exit: str = NEXT
    wake_at: datetime | None = None
    orders: list[Order] = []


class BaseNode(ABC, Generic[C]):
    """One kind of work in a pipeline: what every node has, whichever way it works."""

    Config: ClassVar[type[NodeConfig]] = NodeConfig
    branches: ClassVar[bool] = False  # whether it can be left by ``otherwise``

    def __init__(self, config: C) -> None:
        self.config = config

    @classmethod
    def of(cls, config: C) -> "BaseNode[C]":
        """The node for a config, where that decides in which way it works."""
        return cls(config)

    @classmethod
    def changed(cls, config: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
        """Its config with each secret changed, as into dots, or into what is stored."""
        return secret_fields.changed(cls.Config, config, change)

    @classmethod
    def unmasked(cls, given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
        """What somebody gives who was shown dots."""
        return secret_fields.unmasked(cls.Config, given, stored)

    @abstractmethod
    def rehearse(self, walk: Walk, context: Context, name: str) -> Outcome:
        """What it would give for one run; nothing happens outside. ``name`` is the node's id."""


class BatchNode(BaseNode[C]):
    """One that waits for nobody, and so works within the turns, for many runs at a time."""

    @abstractmethod
    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        """Do the work for each run, in order; ``name`` is the node's id. What it raises is that run's
        failure: when it raises for many, each is tried alone."""

    def rehearse(self, walk: Walk, context: Context, name: str) -> Outcome:
        return self.run([walk], context, name)[0]


class SlowNode(BaseNode[C]):
    """One that waits for others to answer, and so works beside the turns. To rehearse it is to say what
    it would ask of whom."""

    @abstractmethod
    async def perform(self, walk: Walk, http: Client, now: datetime, name: str, timeout: float) -> Outcome:
        """Do the work for one run, without the database, within ``timeout`` seconds. Raises Rejected where
        another try would not help."""


nodes: Registry[BaseNode[Any]] = Registry(__name__, BaseNode)
