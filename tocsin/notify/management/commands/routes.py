"""``tocsin routes``: what an ``alertmanager.yml`` comes to here, and who gets an alert by it."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Screen
from tocsin.db.command import TellingCommand, accept_json
from tocsin.notify.routing import alertmanager, story
from tocsin.notify.routing.expected import moment_of
from tocsin.notify.routing.findings import Note
from tocsin.notify.routing.lines import Problem, Unsound
from tocsin.notify.routing.tree import compile_tree, resolve, why_not


class ChannelTold(msgspec.Struct):
    """A channel that would be made of a receiver's integration; its settings stay untold."""

    name: str
    receiver: str
    driver: str
    send_resolved: bool


class Checked(msgspec.Struct):
    """What a file comes to: its tree drawn, its channels, what is not carried over, and what is wrong."""

    file: str
    valid: bool
    problems: list[Problem] = []
    tree: list[str] = []
    channels: list[ChannelTold] = []
    inhibit_rules: int = 0
    notes: list[Note] = []


class Taken(msgspec.Struct):
    """A route that takes an alert."""

    route: str
    receiver: str
    channels: list[str]
    group: dict[str, str]
    muted: bool
    story: list[str]


class Tested(msgspec.Struct):
    """Who gets an alert with these labels at this moment, and why others do not."""

    labels: dict[str, str]
    at: datetime
    taken: list[Taken]
    refused: list[str]


class Command(TellingCommand[Checked | Tested]):
    help = "Read an alertmanager.yml: what it comes to here, and who gets an alert by it, and why."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        actions = parser.add_subparsers(dest="action", required=True, metavar="check | test")
        check = actions.add_parser(
            "check",
            help="draw the tree, and tell what cannot be carried over; the exit code is 1 if it is wrong",
        )
        check.add_argument("file", type=Path, help="an alertmanager.yml")
        test = actions.add_parser("test", help="who gets an alert with these labels, and why others do not")
        test.add_argument("--config", type=Path, required=True, metavar="FILE", help="an alertmanager.yml")
        test.add_argument("--at", metavar="TIME", help="such as 2026-11-23T10:00:00+01:00; default: now")
        test.add_argument("labels", nargs="+", metavar="label=value")
        for one in (check, test):
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Checked | Tested:
        if options["action"] == "check":
            found = _checked(options["file"])
            self.exit_code = 0 if found.valid else 1
            return found
        return _tested(options["config"], _labels(options["labels"]), _moment(options["at"]))

    def show(self, found: Checked | Tested, screen: Screen) -> None:
        if isinstance(found, Checked):
            _show_checked(found, screen)
        else:
            _show_tested(found, screen)


def _checked(file: Path) -> Checked:
    try:
        found = alertmanager.read_file(file)
    except Unsound as error:
        return Checked(str(file), False, error.problems)
    channels = [ChannelTold(one.name, one.receiver, one.driver, one.send_resolved) for one in found.channels]
    drawn = story.draw(found.routing)
    return Checked(str(file), True, [], drawn, channels, len(found.inhibit_rules), found.notes)


def _tested(file: Path, labels: dict[str, str], at: datetime) -> Tested:
    tree = compile_tree(alertmanager.read_file(file).routing)
    taken = [
        Taken(
            route=one.route,
            receiver=one.receiver,
            channels=list(one.channels),
            group=one.group(labels),
            muted=one.muted is not None,
            story=story.story(one, labels, at),
        )
        for one in resolve(tree, labels, at)
    ]
    return Tested(labels, at, taken, [story.refusal(one) for one in why_not(tree, labels)])


def _labels(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equal, value = pair.partition("=")
        if not name or not equal:
            raise Rejected(f"{pair!r} is no label: write it as label=value")
        found[name] = value
    return found


def _moment(text: str | None) -> datetime:
    try:
        return moment_of(text) if text else clock.now()
    except ValueError as error:
        raise Rejected(f"--at: {error}") from None


def _show_checked(found: Checked, screen: Screen) -> None:
    for problem in found.problems:
        screen.line(("✗", "red"), str(problem))
    if not found.valid:
        return
    for line in found.tree:
        screen.line(line)
    if found.channels:
        screen.heading("Channels")
        rows = [
            ((one.name, "bold"), one.receiver, one.driver, "" if one.send_resolved else "no resolved")
            for one in found.channels
        ]
        screen.table(("channel", "receiver", "driver", ""), rows, indent=2)
    if found.notes:
        screen.heading("Not carried over as it is")
        told = [
            (f"line {one.line}", [[one.path], [f"{one.what}; instead:", one.instead]]) for one in found.notes
        ]
        screen.table(("", ""), told, indent=2)
    screen.gap()
    screen.line(("✓", "green"), "It can be read.", _counted(found))


def _counted(found: Checked) -> str:
    rules = f"; inhibit rules: {found.inhibit_rules}" if found.inhibit_rules else ""
    return f"{len(found.tree)} routes, {len(found.channels)} channels, {len(found.notes)} notes{rules}."


def _show_tested(found: Tested, screen: Screen) -> None:
    for one in found.taken:
        first, *rest = one.story
        screen.line(("–", "yellow") if one.muted else ("✓", "green"), (first, "bold"))
        for line in rest:
            screen.line(line, indent=2)
    if found.refused:
        screen.heading("Why not")
        for line in found.refused:
            screen.line(line, indent=2)
