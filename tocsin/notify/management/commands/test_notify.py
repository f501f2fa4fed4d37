"""``tocsin test_notify``: does a service take our messages? Nothing is stored."""

from typing import Any

from django.core.management.base import CommandParser

from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Screen
from tocsin.db.command import TellingCommand
from tocsin.notify import services
from tocsin.notify.drivers import drivers
from tocsin.notify.fields import Field, driver_for, fields_of, known
from tocsin.notify.management.trial import Tested, send_through, show_tested


class Command(TellingCommand[Tested]):
    help = "Send a test message for real and show what the receiver answers."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "driver", nargs="?", help=f"one of {', '.join(drivers.names())}; default: found from the settings"
        )
        parser.add_argument("--channel", metavar="NAME", help="send through this stored channel instead")
        for name, fields in _options().items():
            meant = "; ".join(f"{driver}: {field.description}" for driver, field in fields.items())
            option = f"--{name.replace('_', '-')}"
            parser.add_argument(option, dest=f"config.{name}", metavar="VALUE", help=meant.replace("%", "%%"))

    def answer(self, options: dict[str, Any]) -> Tested:
        given = {
            option.removeprefix("config."): value
            for option, value in options.items()
            if option.startswith("config.") and value is not None
        }
        if options["channel"]:
            return send_through(options["channel"])
        name = options["driver"] or _found(given)
        driver = drivers.get(name)(services.read_config(name, known(name, given)))
        return Tested(name, "", services.send_test(driver=driver, now=clock.now()))

    def show(self, found: Tested, screen: Screen) -> None:
        show_tested(found, screen)


def _options() -> dict[str, dict[str, Field]]:
    """Every setting of every driver: by its name, the drivers that have it."""
    found: dict[str, dict[str, Field]] = {}
    for driver in drivers.names():
        for field in fields_of(driver):
            found.setdefault(field.name, {})[driver] = field
    return found


def _found(given: dict[str, str]) -> str:
    if given:
        return driver_for(given)
    raise Rejected(
        f"name a driver ({', '.join(drivers.names())}) and its settings, or a stored channel with --channel; "
        "tocsin list_notify_drivers --verbose shows the settings"
    )
