"""``tocsin routes``: the routing tree, read, asked, put in force and taken away."""

import getpass
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from django.core.management.base import CommandParser

from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Screen, moment
from tocsin.db.command import TellingCommand, accept_json
from tocsin.notify import loading, routes
from tocsin.notify.loading import THERE, Brought, Plan
from tocsin.notify.models import RoutingTree
from tocsin.notify.routing import story
from tocsin.notify.routing.asked import Asked, ask, labels_of
from tocsin.notify.routing.expected import moment_of
from tocsin.notify.routing.findings import Note
from tocsin.notify.routing.lines import Problem, Unsound
from tocsin.notify.routing.tree import compile_tree

SHOWN: Final = 50


class Checked(msgspec.Struct):
    """What a file comes to: its tree drawn, its channels, what is not carried over, and what is wrong."""

    file: str
    valid: bool
    problems: list[Problem] = []
    tree: list[str] = []
    channels: list[Plan] = []
    missing: list[str] = []
    inhibit_rules: int = 0
    notes: list[Note] = []
    in_force: int | None = None  # the tree's number, where it was put in force


class Kept(msgspec.Struct):
    """A tree that was put in force; ``routes`` is empty where it says that everybody gets everything."""

    id: int
    made_by: str
    note: str
    created_at: datetime
    routes: list[str] = []


class History(msgspec.Struct):
    """What was put in force, the newest first."""

    trees: list[Kept]


class Shown(msgspec.Struct):
    """What is in force; none where nothing ever was."""

    in_force: Kept | None
    routing: Any = None


Told = Checked | Asked | Shown | History


class Command(TellingCommand[Told]):
    help = "Who gets what: read, ask and put in force a tree of routes, also out of an alertmanager.yml."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="check | test | load | show | history | use | off"
        )
        check = actions.add_parser(
            "check",
            help="draw the tree, and tell what cannot be carried over; the exit code is 1 if it is wrong",
        )
        check.add_argument("file", type=Path, help="an alertmanager.yml, or a tree of our own")
        test = actions.add_parser("test", help="who gets an alert with these labels, and why others do not")
        test.add_argument(
            "--config", type=Path, metavar="FILE",
            help="an alertmanager.yml, or a tree of our own; default: what is in force",
        )  # fmt: skip
        test.add_argument("--at", metavar="TIME", help="such as 2026-11-23T10:00:00+01:00; default: now")
        test.add_argument("labels", nargs="+", metavar="label=value")
        load = actions.add_parser("load", help="put a file's routes in force, and make its channels")
        load.add_argument("file", type=Path, help="an alertmanager.yml, or a tree of our own")
        load.add_argument("--dry-run", action="store_true", help="only tell what would become of it")
        show = actions.add_parser("show", help="draw what is in force")
        history = actions.add_parser("history", help="what was put in force, by whom and when")
        use = actions.add_parser("use", help="put one of the history in force again")
        use.add_argument("id", type=int)
        off = actions.add_parser("off", help="take the routes away: everybody gets everything")
        for one in (check, test, load, show, history, use, off):
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Told:
        action = options["action"]
        if action in ("check", "load"):
            found = (
                _checked(options["file"]) if action == "check" else _load(options["file"], options["dry_run"])
            )
            self.exit_code = 0 if found.valid else 1
            return found
        if action == "test":
            return _tested(options["config"], labels_of(options["labels"]), _moment(options["at"]))
        if action == "history":
            newest = RoutingTree.objects.defer("document").order_by("-pk")[:SHOWN]
            return History([_kept(tree) for tree in newest])
        if action == "use":
            routes.use(tree_id=options["id"], made_by=_caller(), now=clock.now())
        if action == "off":
            routes.put(given=None, made_by=_caller(), now=clock.now())
        tree = routes.newest()
        if tree is None:
            return Shown(None)
        return Shown(_kept(tree, loading.drawn(tree)), tree.document)

    def show(self, found: Told, screen: Screen) -> None:
        if isinstance(found, Checked):
            _show_checked(found, screen)
        elif isinstance(found, Asked):
            _show_tested(found, screen)
        elif isinstance(found, History):
            rows = [
                ((str(one.id), "bold"), moment(one.created_at), one.made_by, one.note) for one in found.trees
            ]
            screen.table(("tree", "in force from (UTC)", "by", ""), rows)
        else:
            _show_kept(found.in_force, screen)


def _caller() -> str:
    """Whose shell this is: the record's answer to who did it."""
    try:
        return f"{getpass.getuser()} (command)"
    except (KeyError, OSError):  # a container's user may have no name
        return "command"


def _checked(file: Path) -> Checked:
    """Without a look at any database, as where nothing runs."""
    try:
        found = loading.read_file(file)
    except Unsound as error:
        return Checked(str(file), False, error.problems)
    return _told(file, found, loading.plans(found, set()))


def _load(file: Path, dry_run: bool) -> Checked:
    try:
        found = loading.read_file(file)
    except Unsound as error:
        return Checked(str(file), False, error.problems)
    there = loading.names()
    checked = _told(file, found, loading.plans(found, there))
    checked.missing = loading.missing(found, there)
    if not dry_run:
        done = loading.put(brought=found, made_by=_caller(), note=file.name, now=clock.now())
        checked.channels, checked.in_force = done.channels, done.tree
    return checked


def _told(file: Path, found: Brought, plans: list[Plan]) -> Checked:
    drawn = story.draw(found.routing)
    return Checked(str(file), True, [], drawn, plans, [], found.inhibit_rules, found.notes)


def _tested(file: Path | None, labels: dict[str, str], at: datetime) -> Asked:
    if file is not None:
        return ask(compile_tree(loading.read_file(file).routing), labels, at)
    in_force = routes.in_force()
    if in_force is None:
        raise Rejected("no routes are in force: everybody gets everything; name a file with --config")
    return ask(in_force.tree, labels, at)


def _moment(text: str | None) -> datetime:
    try:
        return moment_of(text) if text else clock.now()
    except ValueError as error:
        raise Rejected(f"--at: {error}") from None


def _kept(tree: RoutingTree, drawn: Sequence[str] = ()) -> Kept:
    return Kept(tree.pk, tree.made_by, tree.note, tree.created_at, list(drawn))


def _show_kept(tree: Kept | None, screen: Screen) -> None:
    if tree is None or not tree.routes:
        screen.line("No routes are in force: everybody gets everything.")
    for line in tree.routes if tree else ():
        screen.line(line)
    if tree:
        screen.gap()
        by = f" by {tree.made_by}" if tree.made_by else ""
        note = f": {tree.note}" if tree.note else ""
        screen.line(f"Tree {tree.id}, put in force{by} at {moment(tree.created_at)} UTC{note}.")


def _show_checked(found: Checked, screen: Screen) -> None:
    for problem in found.problems:
        screen.line(("✗", "red"), str(problem))
    if not found.valid:
        return
    for line in found.tree:
        screen.line(line)
    if found.channels:
        screen.heading("Channels")
        screen.table(("channel", "receiver", "driver", ""), [_row(one) for one in found.channels], indent=2)
    if found.notes:
        screen.heading("Not carried over as it is")
        told = [
            (f"line {one.line}", [[one.path], [f"{one.what}; instead:", one.instead]]) for one in found.notes
        ]
        screen.table(("", ""), told, indent=2)
    screen.gap()
    if found.missing:
        screen.line(("!", "yellow"), f"Nobody has these channels: {', '.join(found.missing)}.")
    if found.in_force:
        screen.line(("✓", "green"), f"In force from now on, as tree {found.in_force}.", _counted(found))
    else:
        screen.line(("✓", "green"), "It can be read.", _counted(found))


def _row(one: Plan) -> tuple[Any, ...]:
    told = [] if one.send_resolved else ["no resolved"]
    if one.becomes == THERE:
        told.append("is there already")
    elif one.why:
        told.append(one.why)
    return (one.name, "bold"), one.receiver, one.driver, ", ".join(told)


def _counted(found: Checked) -> str:
    rules = f"; inhibit rules: {found.inhibit_rules}" if found.inhibit_rules else ""
    return f"{len(found.tree)} routes, {len(found.channels)} channels, {len(found.notes)} notes{rules}."


def _show_tested(found: Asked, screen: Screen) -> None:
    for one in found.taken:
        first, *rest = one.story
        screen.line(("–", "yellow") if one.muted else ("✓", "green"), (first, "bold"))
        for line in rest:
            screen.line(line, indent=2)
    if found.refused:
        screen.heading("Why not")
        for line in found.refused:
            screen.line(line, indent=2)
