"""``tocsin channel``: where messages go."""

from datetime import datetime
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.core import clock
from tocsin.core.errors import UnknownPlugin
from tocsin.core.terminal import Piece, Screen, moment
from tocsin.db.command import TellingCommand, accept_json
from tocsin.notify import services
from tocsin.notify.drivers import drivers
from tocsin.notify.fields import read_pairs
from tocsin.notify.management.trial import Tested, send_through, show_tested
from tocsin.notify.models import NotificationChannel


class ChannelTold(msgspec.Struct):
    """A channel; secrets in its config are dots."""

    name: str
    driver: str
    enabled: bool
    config: dict[str, Any]
    created_at: datetime


class Channels(msgspec.Struct):
    """All of them."""

    channels: list[ChannelTold]


class Added(msgspec.Struct):
    """The channel that was made."""

    added: ChannelTold


class Removed(msgspec.Struct):
    """The name of the channel that is gone, with its deliveries."""

    removed: str


class Command(TellingCommand[Channels | Added | Removed | Tested]):
    help = "Add, list, test and remove notification channels."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        actions = parser.add_subparsers(dest="action", required=True, metavar="add | list | test | remove")
        add = actions.add_parser(
            "add", help="make a channel; it gets every message until routes say otherwise"
        )
        add.add_argument("name", help="what you call it, such as on-call")
        add.add_argument("--driver", required=True, help=f"one of {', '.join(drivers.names())}")
        add.add_argument(
            "--set", nargs="+", action="extend", default=[], metavar="key=value", dest="pairs",
            help="the driver's settings; tocsin list_notify_drivers --verbose shows them",
        )  # fmt: skip
        listing = actions.add_parser("list", help="show all channels, secrets as dots")
        test = actions.add_parser("test", help="send a test message now and show the receiver's answer")
        test.add_argument("name")
        remove = actions.add_parser("remove", help="remove a channel and its deliveries")
        remove.add_argument("name")
        for one in (add, listing, test, remove):
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Channels | Added | Removed | Tested:
        if options["action"] == "add":
            return _add(options["name"], options["driver"], options["pairs"])
        if options["action"] == "test":
            return send_through(options["name"])
        if options["action"] == "remove":
            services.remove_channel(name=options["name"])
            return Removed(options["name"])
        return Channels([_told(channel) for channel in NotificationChannel.objects.order_by("name")])

    def show(self, found: Channels | Added | Removed | Tested, screen: Screen) -> None:
        if isinstance(found, Channels):
            _show_list(found.channels, screen)
        elif isinstance(found, Added):
            name = found.added.name
            screen.line(("✓", "green"), f"Channel {name} gets every message from now on.")
            screen.line(f"Try it: tocsin channel test {name}")
        elif isinstance(found, Removed):
            screen.line(("✓", "green"), f"Channel {found.removed} is gone.")
        else:
            show_tested(found, screen)


def _add(name: str, driver: str, pairs: list[str]) -> Added:
    given = read_pairs(driver, pairs)
    return Added(_told(services.add_channel(name=name, driver=driver, given=given, now=clock.now())))


def _told(channel: NotificationChannel) -> ChannelTold:
    try:
        config = services.masked(channel)
    except UnknownPlugin:  # its distribution is gone: nobody knows what is secret
        config = dict.fromkeys(channel.config, "••••••")
    return ChannelTold(channel.name, channel.driver, channel.enabled, config, channel.created_at)


def _show_list(channels: list[ChannelTold], screen: Screen) -> None:
    if not channels:
        screen.line("There is no channel yet: nobody is told of anything.")
        screen.line("Make one: tocsin channel add NAME --driver webhook --set url=https://…")
        return
    rows = [_row(channel) for channel in channels]
    screen.table(("channel", "driver", "", "made (UTC)", "settings"), rows)


def _row(channel: ChannelTold) -> list[Piece]:
    settings = "  ".join(f"{name}={value}" for name, value in channel.config.items())
    state: Piece = ("on", "green") if channel.enabled else ("off", "yellow")
    return [(channel.name, "bold"), channel.driver, state, moment(channel.created_at), settings]
