"""``tocsin run_check``: one checker with options of one's own, as a monitoring plug-in."""

from typing import Any

from django.core.management.base import CommandParser

from tocsin.checkers.checks import checkers
from tocsin.checkers.management.telling import EXIT, CheckCommand, Checked, checked, show
from tocsin.checkers.options import about, add_options, given
from tocsin.checkers.running import Runner, build
from tocsin.core.terminal import Screen
from tocsin.db.command import accept_json


class Command(CheckCommand[Checked]):
    help = "Run one checker; the exit code is its status: 0 ok, 1 warning, 2 critical, 3 unknown."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        kinds = parser.add_subparsers(dest="checker", required=True, metavar="CHECKER")
        for name in checkers.names():
            said = about(name)
            one = kinds.add_parser(name, help=said.replace("%", "%%"), description=said.replace("%", "%%"))
            accept_json(one)
            add_options(one, name)

    def answer(self, options: dict[str, Any]) -> Checked:
        name = options["checker"]
        checker = build(name, given(name, options), trusted=True)
        found = checked(Runner({name: checker}).run())
        self.exit_code = EXIT[found.status]
        return found

    def show(self, found: Checked, screen: Screen) -> None:
        show(found, screen)
