"""``tocsin channel``: where messages go."""

import argparse
from datetime import datetime
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.core import clock
from tocsin.core.errors import UnknownPlugin
from tocsin.core.terminal import Piece, Screen, moment
from tocsin.db.command import TellingCommand, accept_json
from tocsin.notify import services
from tocsin.notify.drivers import MODES, drivers
from tocsin.notify.fields import read_pairs
from tocsin.notify.management.trial import Tested, send_through, show_tested
from tocsin.notify.models import NotificationChannel
from tocsin.notify.setup import TEMPLATES, Setup, Wrong, setup_of


class ChannelTold(msgspec.Struct):
    """A channel; secrets in its config are dots."""

    name: str
    driver: str
    enabled: bool
    config: dict[str, Any]
    created_at: datetime
    setup: Setup


class Channels(msgspec.Struct):
    """All of them."""

    channels: list[ChannelTold]


class Added(msgspec.Struct):
    """The channel that was made."""

    added: ChannelTold


class Changed(msgspec.Struct):
    """The channel as it is now."""

    changed: ChannelTold


class Removed(msgspec.Struct):
    """The name of the channel that is gone, with its deliveries."""

    removed: str


Told = Channels | Added | Changed | Removed | Tested


class Command(TellingCommand[Told]):
    help = "Add, change, list, test and remove notification channels."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="add | set | list | test | remove"
        )
        add = actions.add_parser(
            "add", help="make a channel; it gets every message until routes say otherwise"
        )
        add.add_argument("name", help="what you call it, such as on-call")
        add.add_argument("--driver", required=True, help=f"one of {', '.join(drivers.names())}")
        add.add_argument(
            "--set", nargs="+", action="extend", default=[], metavar="key=value", dest="pairs",
            help="the driver's settings; tocsin list_notify_drivers --verbose shows them",
        )  # fmt: skip
        change = actions.add_parser("set", help="change a channel; what is not named stays as it is")
        change.add_argument("name")
        change.add_argument("--name", dest="renamed", metavar="NAME", help="another name")
        change.add_argument(
            "--set", nargs="+", action="extend", default=[], metavar="key=value", dest="pairs",
            help="settings of its driver",
        )  # fmt: skip
        for one in (add, change):
            _accept_setup(one)
        listing = actions.add_parser("list", help="show all channels, secrets as dots")
        test = actions.add_parser("test", help="send a test message now and show the receiver's answer")
        test.add_argument("name")
        remove = actions.add_parser("remove", help="remove a channel and its deliveries")
        remove.add_argument("name")
        for one in (add, change, listing, test, remove):
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Told:
        if options["action"] == "add":
            return _add(options)
        if options["action"] == "set":
            return _change(options)
        if options["action"] == "test":
            return send_through(options["name"])
        if options["action"] == "remove":
            services.remove_channel(name=options["name"], now=clock.now())
            return Removed(options["name"])
        return Channels(
            [
                _told(channel)
                for channel in NotificationChannel.objects.select_related("fallback").order_by("name")
            ]
        )

    def show(self, found: Told, screen: Screen) -> None:
        if isinstance(found, Channels):
            _show_list(found.channels, screen)
        elif isinstance(found, Added):
            name = found.added.name
            screen.line(("✓", "green"), f"Channel {name} gets every message from now on.")
            screen.line(f"Try it: tocsin channel test {name}")
        elif isinstance(found, Changed):
            screen.line(("✓", "green"), f"Channel {found.changed.name} is changed.")
        elif isinstance(found, Removed):
            screen.line(("✓", "green"), f"Channel {found.removed} is gone.")
        else:
            show_tested(found, screen)


def _accept_setup(parser: CommandParser) -> None:
    """What a channel has besides its driver's settings; an empty text stands for the driver's own way."""
    parser.add_argument("--mode", help=f"what becomes of later news: {', '.join(MODES)}, as its driver can")
    parser.add_argument("--per-minute", metavar="NUMBER", help="how many messages a minute it gets at most")
    parser.add_argument(
        "--digest-above", metavar="NUMBER", help="fold into one message when more wait; 0: never"
    )
    parser.add_argument("--fallback", metavar="CHANNEL", help="gets what this one refuses for good")
    parser.add_argument(
        "--send-resolved", action=argparse.BooleanOptionalAction, default=None,
        help="whether it is told when something is over",
    )  # fmt: skip
    parser.add_argument("--subject", metavar="TEMPLATE", help="what its messages begin with")
    parser.add_argument("--body", metavar="TEMPLATE", help="what they say in the place of the alerts")


def _add(options: dict[str, Any]) -> Added:
    name, driver = options["name"], options["driver"]
    given = read_pairs(driver, options["pairs"])
    setup = _setup(Setup(), options)
    made = services.add_channel(name=name, driver=driver, given=given, setup=setup, now=clock.now())
    return Added(_told(made))


def _change(options: dict[str, Any]) -> Changed:
    old = services.named_channel(options["name"])
    given = services.masked(old) | read_pairs(old.driver, options["pairs"])
    changed = services.change_channel(
        channel_id=old.pk,
        name=options["renamed"] or old.name,
        given=given,
        setup=_setup(setup_of(old), options),
    )
    return Changed(_told(changed))


def _setup(old: Setup, options: dict[str, Any]) -> Setup:
    """The old one with what was named. Raises Wrong."""
    asked = {
        "mode": options["mode"],
        "fallback": options["fallback"],
        "send_resolved": options["send_resolved"],
        "subject_template": options["subject"],
        "body_template": options["body"],
    }
    named = {field: value for field, value in asked.items() if value is not None}
    for field, kind in (("per_minute", float), ("digest_above", int)):
        if (text := options[field]) is not None:
            named[field] = _number(field, text, kind)
    return msgspec.structs.replace(old, **named)


def _number(field: str, text: str, kind: type[float]) -> float | None:
    try:
        return kind(text) if text else None
    except ValueError:
        raise Wrong(field, f"{text[:40]!r} is no number") from None


def _told(channel: NotificationChannel) -> ChannelTold:
    try:
        config = services.masked(channel)
    except UnknownPlugin:  # its distribution is gone: nobody knows what is secret
        config = dict.fromkeys(channel.config, "••••••")
    return ChannelTold(
        channel.name, channel.driver, channel.enabled, config, channel.created_at, setup_of(channel)
    )


def _show_list(channels: list[ChannelTold], screen: Screen) -> None:
    if not channels:
        screen.line("There is no channel yet: nobody is told of anything.")
        screen.line("Make one: tocsin channel add NAME --driver webhook --set url=https://…")
        return
    rows = [_row(channel) for channel in channels]
    screen.table(("channel", "driver", "", "made (UTC)", "settings"), rows)


def _row(channel: ChannelTold) -> list[Piece]:
    settings = "  ".join([*(f"{name}={value}" for name, value in channel.config.items()), *_terms(channel)])
    state: Piece = ("on", "green") if channel.enabled else ("off", "yellow")
    return [(channel.name, "bold"), channel.driver, state, moment(channel.created_at), settings]


def _terms(channel: ChannelTold) -> list[str]:
    """What differs from its driver's own way."""
    given, usual = msgspec.structs.asdict(channel.setup), msgspec.structs.asdict(Setup())
    told = {name: value for name, value in given.items() if value != usual[name]}
    return [f"{name}={'…' if name in TEMPLATES else value}" for name, value in told.items()]
