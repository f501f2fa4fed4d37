"""``tocsin list_notify_drivers``: what channels can be made of."""

from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.core.terminal import Piece, Screen
from tocsin.db.command import TellingCommand
from tocsin.notify.drivers import drivers
from tocsin.notify.fields import Field, about, fields_of


class DriverTold(msgspec.Struct):
    """A driver and what its config asks for."""

    name: str
    description: str
    fields: list[Field]


class Command(TellingCommand[list[DriverTold]]):
    help = "List the notification drivers, with --verbose what each needs to be told."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--verbose", action="store_true", help="show each driver's settings")

    def answer(self, options: dict[str, Any]) -> list[DriverTold]:
        self._verbose = options["verbose"]
        return [DriverTold(name, about(name), fields_of(name)) for name in drivers.names()]

    def show(self, found: list[DriverTold], screen: Screen) -> None:
        if not self._verbose:
            screen.table(("driver", "what it does"), [((d.name, "bold"), d.description) for d in found])
            return
        for driver in found:
            screen.line((driver.name, "bold"), driver.description)
            screen.table(
                ("setting", "type", "default", "meaning"), [_row(field) for field in driver.fields], indent=2
            )
            screen.gap()
        screen.line("To make a channel: tocsin channel add NAME --driver DRIVER --set setting=value …")


def _row(field: Field) -> list[Piece]:
    default: Piece = ("required", "yellow") if field.required else field.default
    return [field.name, (field.type, "dim"), default, field.description]
