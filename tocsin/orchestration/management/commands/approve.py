"""``tocsin approve RUN [NODE] --yes``: an answer to what a run asks."""

import getpass
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Screen
from tocsin.db.command import TellingCommand
from tocsin.orchestration import services, story


class Approved(msgspec.Struct):
    """What was answered."""

    run_id: str
    node: str
    question: str
    approved: bool
    by: str


class Command(TellingCommand[Approved]):
    help = "Answer what a run asks a person; it goes on at once."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("run", help="the run's id, as monitor_pipeline and trace show it")
        parser.add_argument("node", nargs="?", help="which node asks; needed where several do")
        answer = parser.add_mutually_exclusive_group(required=True)
        answer.add_argument("--yes", action="store_true", help="let it go on")
        answer.add_argument("--no", action="store_true", help="let it go the other way, where there is one")

    def answer(self, options: dict[str, Any]) -> Approved:
        asks = _asks(options["run"], options["node"])
        said = Approved(options["run"], asks.node, asks.question, options["yes"], getpass.getuser())
        services.approve(
            run_id=said.run_id, node=said.node, approved=said.approved, actor=said.by, now=clock.now()
        )
        return said

    def show(self, found: Approved, screen: Screen) -> None:
        said = "yes" if found.approved else "no"
        screen.line(("✓", "green"), f"{found.by} said {said} to: {found.question}")
        screen.line(f"The run goes on; see tocsin monitor_pipeline --run-id {found.run_id}")


def _asks(run_id: str, node: str | None) -> story.Waiting:
    """The node that is meant. Raises Rejected where it does not ask, or several do and none is named."""
    (run,) = story.told_runs([services.found(run_id)])
    asking = [waiting for waiting in run.waiting if waiting.type == "approval"]
    meant = [waiting for waiting in asking if node in (None, waiting.node)]
    if len(meant) == 1:
        return meant[0]
    if not asking:
        raise Rejected(f"run {run_id} asks nothing just now")
    raise Rejected(f"run {run_id} asks at {', '.join(waiting.node for waiting in asking)}: name one of them")
