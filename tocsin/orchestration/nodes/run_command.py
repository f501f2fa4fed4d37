"""A command on a machine with an agent, whose own configuration must allow it: the run goes on with its exit
code and what it said."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from pydantic import Field

from tocsin.core import templates
from tocsin.core.templates import Written
from tocsin.fleet import commands
from tocsin.fleet.commands import Order
from tocsin.fleet.models import Command, Instance
from tocsin.orchestration.definition import NEXT, OTHERWISE
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk

LONGEST_OUTPUT: Final = 16_000  # of what it said, the end; the command itself keeps more
_OVER: Final = (
    Command.DONE, Command.FAILED, Command.REFUSED, Command.EXPIRED, Command.INTERRUPTED
)  # fmt: skip


class Config(NodeConfig):
    """What is run where; the instance and the arguments are templates over the run's document."""

    instance: Written = Field(description="Which instance, such as {{ alerts[0].labels.instance_id }}")
    command: str = Field(min_length=1, max_length=64, description="One that the instance allows, by its name")
    arguments: dict[str, Written] = Field(
        default={}, description="By name; the instance checks each against its pattern"
    )
    seconds: float = Field(default=300, gt=0, le=86_400, description="How long it may take in all")
    ok_exit_codes: list[int] = Field(
        default=[0], min_length=1, description="With these it goes on by next, else by otherwise"
    )


class _Asked(msgspec.Struct):
    """What is asked of whom."""

    instance: str
    command: str
    arguments: dict[str, str]

    @property
    def given(self) -> dict[str, Any]:
        """What went in."""
        return msgspec.structs.asdict(self)


class Node(BatchNode[Config]):
    """Gives instance, command, state, exit_code, output, took_seconds and reason. The state is done where the
    command ended by itself, else failed, refused, expired, interrupted, or taken where no end was told."""

    Config = Config
    branches = True

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        new = {walk.run_id: self._asked(walk) for walk in walks if name not in walk.waiting}
        known = commands.instances({asked.instance for asked in new.values()})
        rows = commands.of_runs((walk.run_id for walk in walks if name in walk.waiting), name)
        return [
            self._ask(walk, new[walk.run_id], known, context.now, name)
            if walk.run_id in new
            else self._follow(walk.waiting[name], rows.get(walk.run_id), context.now)
            for walk in walks
        ]

    def _asked(self, walk: Walk) -> _Asked:
        document = walk.document()
        arguments = {
            key: templates.render_text(value, document) for key, value in self.config.arguments.items()
        }
        instance = templates.render_text(self.config.instance, document).strip()
        return _Asked(instance, self.config.command, arguments)

    def _ask(
        self, walk: Walk, asked: _Asked, known: dict[str, Instance], now: datetime, name: str
    ) -> Outcome:
        found = known.get(asked.instance)
        refusal = commands.refusal(found, asked.instance, asked.command, asked.arguments)
        if found is None or refusal:
            return Outcome(asked.given, _told(asked, Command.REFUSED, reason=refusal), exit=OTHERWISE)
        until = now + timedelta(seconds=self.config.seconds)
        order = Order(found, asked.command, asked.arguments, walk.run_id, name, walk.news.trace_id, until)
        waits = {**asked.given, "state": Command.ASKED, "until": until.isoformat()}
        return Outcome(asked.given, waits, wake_at=until, orders=[order])

    def _follow(self, waits: dict[str, Any], row: Command | None, now: datetime) -> Outcome:
        asked = _Asked(waits["instance"], waits["command"], waits["arguments"])
        until = datetime.fromisoformat(waits["until"])
        if row is not None and row.state in _OVER:
            accepted = row.state == Command.DONE and row.exit_code in self.config.ok_exit_codes
            told = _told(asked, row.state, row.exit_code, row.output, row.took_seconds, row.reason)
            return Outcome(asked.given, told, exit=NEXT if accepted else OTHERWISE)
        if now < until:
            return Outcome(asked.given, waits, wake_at=until)
        if row is not None and row.state == Command.TAKEN:
            return Outcome(asked.given, _told(asked, row.state, reason="no result in time"), exit=OTHERWISE)
        told = _told(asked, Command.EXPIRED, reason="nobody took it in time")
        return Outcome(asked.given, told, exit=OTHERWISE)

    def rehearse(self, walk: Walk, context: Context, name: str) -> Outcome:
        asked = self._asked(walk)
        outcome = self._ask(walk, asked, commands.instances([asked.instance]), context.now, name)
        if outcome.wake_at is None:
            return outcome
        reason = f"would ask {asked.instance} for {asked.command}"
        return Outcome(asked.given, _told(asked, Command.ASKED, reason=reason))


def _told(
    asked: _Asked,
    state: str,
    exit_code: int | None = None,
    output: str = "",
    took_seconds: float | None = None,
    reason: str = "",
) -> dict[str, Any]:
    return {
        "instance": asked.instance,
        "command": asked.command,
        "state": state,
        "exit_code": exit_code,
        "output": output[-LONGEST_OUTPUT:],
        "took_seconds": took_seconds,
        "reason": reason,
    }
