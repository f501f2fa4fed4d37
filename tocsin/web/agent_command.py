"""The agent's commands as Django's, for ``tocsin help`` and programs; the console starts them without it."""

from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tocsin.agent.commands import COMMANDS, MISCONFIGURED, run
from tocsin.core.errors import TocsinError


class AgentCommand(BaseCommand):
    """Runs one of the agent's."""

    requires_system_checks: list[str] = []
    name: ClassVar[str]

    def add_arguments(self, parser: CommandParser) -> None:
        COMMANDS[self.name].add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = run(self.name, options)
        except TocsinError as error:
            raise CommandError(str(error), returncode=MISCONFIGURED) from error
        if done.text:
            self.stdout.write(done.text)
        if done.code:
            raise CommandError("not sent; it is kept for later", returncode=done.code)
