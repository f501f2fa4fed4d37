"""``tocsin definition``: pipelines as data, kept in files and applied."""

import getpass
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from django.core.management.base import CommandParser

from tocsin.checkers.services import CheckSet
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id
from tocsin.core.terminal import Cell, Piece, Screen, age
from tocsin.db.command import TellingCommand, accept_json
from tocsin.orchestration import definitions, setup, starting
from tocsin.orchestration.definition import Unsound
from tocsin.orchestration.management.carrying import Carried, carry, show_carried, show_rehearsed
from tocsin.orchestration.models import PipelineDefinition
from tocsin.orchestration.setup import Setup, Step, Told
from tocsin.orchestration.starting import Asked, Rehearsed

_MARKS: Final[dict[str, Piece]] = {"add": ("+", "green"), "change": ("~", "yellow"), "keep": ("=", "dim")}
_WAYS: Final = (("next", "→"), ("otherwise", "otherwise →"), ("on_failure", "on failure"))


class Definitions(msgspec.Struct):
    """All of them, in the order they are asked."""

    definitions: list[Told]


class Applied(msgspec.Struct):
    """What a file made of the definitions there are."""

    steps: list[Step]
    dry_run: bool


class Found(msgspec.Struct):
    """What is wrong in a definition, and where; ``node`` is empty where it is no node's."""

    definition: str
    node: str
    field: str
    message: str


class Validated(msgspec.Struct):
    """Whether a file could be applied, and all that is wrong."""

    valid: bool
    problems: list[Found]


class Removed(msgspec.Struct):
    """The definition that is gone."""

    removed: str


Answer = Definitions | Told | Applied | Validated | Removed | Rehearsed | Carried


class Command(TellingCommand[Answer]):
    help = "List, show, apply, validate, remove and run definitions: what happens when an incident has news."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        words = "list | show | apply | validate | remove | run"
        actions = parser.add_subparsers(dest="action", required=True, metavar=words)
        parsers = [actions.add_parser("list", help="show all, in the order they are asked")]
        for word, meaning in (
            ("show", "one in full, secrets as dots; its JSON can be applied again"),
            ("remove", "let go of one that no run walks"),
        ):
            parsers.append(actions.add_parser(word, help=meaning))
            parsers[-1].add_argument("name")
        for word, meaning in (
            ("apply", "have definitions as a JSON file says; what is so already is left alone"),
            ("validate", "tell all that is wrong in such a file; the exit code is 1 where something is"),
        ):
            parsers.append(actions.add_parser(word, help=meaning))
            parsers[-1].add_argument("file", help="one definition or a list of them; - is standard input")
        parsers[-2].add_argument("--dry-run", action="store_true", help="print what would be done")
        parsers.append(_accept_run(actions.add_parser("run", help="walk one now, whatever it matches")))
        for one in parsers:
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Answer:
        action = options["action"]
        if action == "list":
            rows = PipelineDefinition.objects.order_by("priority", "pk")
            return Definitions([setup.told(row) for row in rows])
        if action == "apply":
            return _applied(options["file"], options["dry_run"])
        if action == "validate":
            return self._validated(options["file"])
        found = definitions.named(options["name"])
        if action == "remove":
            definitions.remove(name=found.name)
            return Removed(found.name)
        return _run(options) if action == "run" else setup.told_in_full(found)

    def _validated(self, path: str) -> Validated:
        problems = [found for wanted in _wanted(path) for found in _problems(wanted)]
        self.exit_code = 1 if problems else 0
        return Validated(not problems, problems)

    def show(self, found: Answer, screen: Screen) -> None:
        if isinstance(found, Definitions):
            _show_list(found.definitions, screen)
        elif isinstance(found, Told):
            _show_one(found, screen)
        elif isinstance(found, Applied):
            _show_steps(found, screen)
        elif isinstance(found, Validated):
            _show_problems(found, screen)
        elif isinstance(found, Removed):
            screen.line(("✓", "green"), f"{found.removed} is removed.")
        elif isinstance(found, Rehearsed):
            show_rehearsed(found, screen)
        else:
            show_carried(found, screen)


def _accept_run(parser: CommandParser) -> CommandParser:
    parser.add_argument("name")
    about = parser.add_mutually_exclusive_group(required=True)
    about.add_argument("--incident", type=int, metavar="N", help="about this incident, as it stands")
    about.add_argument("--payload", metavar="FILE", help="about what a tool posted; - is standard input")
    parser.add_argument("--driver", help="which tool's payload it is; default: found from it")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what every node would do; store and send nothing"
    )
    return parser


def _run(options: dict[str, Any]) -> Rehearsed | Carried:
    asked = Asked(definition=options["name"], driver=options["driver"] or "", incident_id=options["incident"])
    if options["payload"] is not None:
        asked.payload = _content(options["payload"])
    checks = CheckSet()
    checks.run()
    if options["dry_run"]:
        return starting.rehearse(asked, checks, clock.now())
    return carry(starting.begin(asked, new_id(), clock.now()), checks)


def _applied(path: str, dry_run: bool) -> Applied:
    wanted = _wanted(path)
    for one in wanted:
        try:
            definitions.examine(one)
        except Rejected as error:
            raise Rejected(f"{path}: {one.name}: {error}") from error
    steps = definitions.apply(wanted, actor=getpass.getuser(), now=clock.now(), dry_run=dry_run)
    return Applied(steps, dry_run)


def _wanted(path: str) -> list[Setup]:
    """The definitions of a file. Raises Rejected, which names the file and what is wrong in it."""
    try:
        document = msgspec.json.decode(_content(path))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(f"{path}: {error}") from None
    given = document if isinstance(document, list) else [document]
    wanted = [_setup(path, one) for one in given]
    names = [one.name for one in wanted]
    for name in names:
        if names.count(name) > 1:
            raise Rejected(f"{path}: there are several definitions named {name!r}")
    return wanted


def _setup(path: str, given: Any) -> Setup:
    if not isinstance(given, dict):
        raise Rejected(f"{path}: a definition is an object with name and definition")
    try:
        return setup.read(given)
    except Rejected as error:
        name = given.get("name")
        raise Rejected(f"{path}: {f'{name}: ' if isinstance(name, str) else ''}{error}") from None


def _content(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Rejected(f"cannot read {path}: {error.strerror}") from error


def _problems(wanted: Setup) -> Iterator[Found]:
    try:
        setup.check(wanted)
    except Rejected as error:
        field, _, message = str(error).partition(": ")
        yield Found(wanted.name, "", field, message)
    try:
        definitions.check(name=wanted.name, document=wanted.definition)
    except Unsound as error:
        for found in error.problems:
            yield Found(wanted.name, found.node, found.field, found.message)


def _show_list(found: list[Told], screen: Screen) -> None:
    if not found:
        screen.line("There is no definition: incidents walk the four built-in stages.")
        return
    columns = ("definition", "version", "priority", "state", "for", "nodes")
    screen.table(columns, [_row(one) for one in found])


def _row(one: Told) -> list[Piece]:
    nodes = " ".join(node["id"] for node in one.definition["nodes"])
    matching = ", ".join(one.matchers) or "all incidents"
    state: Piece = ("on", "green") if one.enabled else ("off", "dim")
    return [(one.name, "bold"), str(one.version), str(one.priority), state, matching, nodes]


def _show_one(one: Told, screen: Screen) -> None:
    screen.line((one.name, "bold"), f"version {one.version}", "" if one.enabled else ("off", "yellow"))
    facts = [
        ("description", one.description),
        ("for", ", ".join(one.matchers) or "all incidents"),
        ("priority", str(one.priority)),
    ]
    screen.facts(facts, indent=2)
    screen.heading("Nodes")
    screen.table(("id", "type", "leads to", "config"), map(_node, one.definition["nodes"]), indent=2)
    screen.heading("Versions")
    now = clock.now()
    rows = [(str(each.number), f"{age(each.created_at, now)} ago", each.made_by) for each in one.versions]
    screen.table(("", "made", "by"), rows, indent=2)


def _node(node: dict[str, Any]) -> list[Cell]:
    ways = []
    for way, arrow in _WAYS:
        if targets := node.get(way):
            ways.append(f"{arrow} {', '.join(targets) if isinstance(targets, list) else targets}")
    config = msgspec.json.encode(node["config"]).decode() if node.get("config") else ""
    return [(node["id"], "bold"), node["type"], [[way] for way in ways] or "", config]


def _show_steps(applied: Applied, screen: Screen) -> None:
    for step in applied.steps:
        if step.kind != "keep":
            screen.line(_MARKS[step.kind], step.name, (", ".join(step.changes), "dim"))
    count = {kind: sum(step.kind == kind for step in applied.steps) for kind in _MARKS}
    done = "would be" if applied.dry_run else "were"
    screen.line(
        f"{count['add']} {done} added, {count['change']} changed; {count['keep']} are as the file says."
    )


def _show_problems(found: Validated, screen: Screen) -> None:
    for problem in found.problems:
        where = f"node {problem.node}: {problem.field}" if problem.node else problem.field
        screen.line(("✗", "red"), (problem.definition, "bold"), f"{where}: {problem.message}")
    if found.valid:
        screen.line(("✓", "green"), "All of it could be applied.")
