"""One check of one thing, made for this run: of what the alert is about rather than of this machine."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import Field, field_validator

from tocsin.checkers.checks import checkers
from tocsin.checkers.running import build
from tocsin.checkers.services import described
from tocsin.core import secret_fields
from tocsin.core.http import Client
from tocsin.orchestration.nodes import Context, NodeConfig, Outcome, SlowNode, Walk


class Config(NodeConfig):
    """A checker and its options."""

    checker: str = Field(description="The checker's name")
    options: dict[str, Any] = Field(default={}, description="Its options")

    @field_validator("checker")
    @classmethod
    def _is_there(cls, value: str) -> str:
        if value not in checkers.names():
            raise ValueError(f"there is no checker {value[:64]!r}; known: {', '.join(checkers.names())}")
        return value


class Node(SlowNode[Config]):
    """Gives its status, message and metrics."""

    Config = Config

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._checker = build(self.config.checker, self.config.options)

    @classmethod
    def changed(cls, config: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
        kind = checkers.get(config["checker"]).Config
        options = secret_fields.changed(kind, config.get("options", {}), change)
        return {**config, "options": options} if options else {**config}

    @classmethod
    def unmasked(cls, given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
        same = given.get("checker") == stored.get("checker")
        old, options = stored.get("options", {}), given.get("options")
        if not same or not isinstance(options, dict):
            return {**given}
        kind = checkers.get(given["checker"]).Config
        return {**given, "options": secret_fields.unmasked(kind, options, old)}

    async def perform(self, walk: Walk, http: Client, now: datetime, name: str, timeout: float) -> Outcome:
        result = await asyncio.to_thread(self._checker.check)
        return Outcome(self._given, described([result]))

    def rehearse(self, walk: Walk, context: Context, name: str) -> Outcome:
        return Outcome(self._given, {"status": "", "checks": {}})

    @property
    def _given(self) -> dict[str, Any]:
        given = {"checker": self.config.checker, "options": self.config.options}
        return self.changed(given, secret_fields.dots)
