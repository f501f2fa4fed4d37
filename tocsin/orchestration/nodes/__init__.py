"""Pipeline nodes: one file for each. The one kind of plug-in that may use the database.

A node calls one service and hands its result on. It does its work for many runs at a time and makes
nothing happen outside: what is to be sent it returns as ``outgoing``, written in the transaction
that advances the run.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from tocsin.alerts.news import News
from tocsin.checkers.services import CheckSet
from tocsin.core.registry import Registry
from tocsin.notify.services import Outgoing


class Walk(msgspec.Struct):
    """One run on its way: what it is about and what its stages gave so far."""

    run_id: str
    news: News
    stages_done: int = 0
    attempts: int = 1
    outputs: dict[str, Any] = {}


class Context(msgspec.Struct):
    """What nodes share during one pass."""

    now: datetime
    checks: CheckSet


class Outcome(msgspec.Struct):
    """What a node gave for one run: snapshots of its input and output, and what to send."""

    input: dict[str, Any]
    output: dict[str, Any]
    outgoing: list[Outgoing] = []


class BaseNode(ABC):
    """One kind of work in a pipeline."""

    @abstractmethod
    def run(self, walks: Sequence[Walk], context: Context) -> list[Outcome]:
        """Do the work for each run, in order. What it raises is that run's failure: when it raises
        for many, each is tried alone."""


nodes: Registry[BaseNode] = Registry(__name__, BaseNode)
