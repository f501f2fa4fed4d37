"""``tocsin instance``: machines with an agent."""

from datetime import datetime
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.core import clock, doorbell
from tocsin.core.terminal import STYLES, Piece, Screen, age, moment
from tocsin.db.command import TellingCommand, accept_json
from tocsin.fleet import enrolment, instances, survey
from tocsin.fleet.models import Instance
from tocsin.fleet.schedule import compact
from tocsin.fleet.summary import MOST_DEVICES, InstanceRow, status_of

_STYLES = {**STYLES, "silent": "bold red"}


class Listed(msgspec.Struct):
    """An instance in short."""

    id: str
    status: str
    version: str
    address: str
    last_seen_at: datetime


class Instances(msgspec.Struct):
    """All of them; where there are very many, the first, those that are silent before the others."""

    instances: list[Listed]


class Shown(msgspec.Struct):
    """One in full; ``key`` is how its key begins, where it has one in force."""

    instance: survey.InstanceTold
    key: str
    summary: str


class Done(msgspec.Struct):
    """What was done to which."""

    id: str
    done: str


Answer = Instances | Shown | Done


class Command(TellingCommand[Answer]):
    help = "List and show machines with an agent, revoke their keys, remove them."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        words = "list | show | revoke | remove"
        actions = parser.add_subparsers(dest="action", required=True, metavar=words)
        parsers = [actions.add_parser("list", help="show all and how they fare")]
        for word, meaning in (
            ("show", "tell all that is known of one, its checks included"),
            ("revoke", "end the life of its key; it counts within five seconds"),
            ("remove", "let go of one; its alerts end, its key opens nothing"),
        ):
            parsers.append(actions.add_parser(word, help=meaning))
            parsers[-1].add_argument("id", help="its instance id")
        for one in parsers:
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Answer:
        action, now = options["action"], clock.now()
        if action == "list":
            columns = ("pk", *InstanceRow.__struct_fields__[1:], "version")
            rows = survey.first_silent().values_list(*columns)[:MOST_DEVICES]
            return Instances([_listed(InstanceRow(*row[:-1]), row[-1]) for row in rows])
        if action == "show":
            return _shown(instances.named(options["id"]))
        if action == "revoke":
            enrolment.revoke(instance_id=options["id"], now=now)
            return Done(options["id"], "shut out: its key opens nothing any more")
        instances.remove(instance_id=options["id"], now=now)
        doorbell.ring()
        return Done(options["id"], "removed")

    def show(self, found: Answer, screen: Screen) -> None:
        if isinstance(found, Done):
            screen.line(("✓", "green"), f"{found.id} is {found.done}.")
        elif isinstance(found, Shown):
            _show(found, screen)
        elif found.instances:
            columns = ("instance", "state", "last seen", "version", "address")
            screen.table(columns, [_row(told) for told in found.instances])
        else:
            screen.line("There is no instance yet: tocsin enroll_token makes a token that agents enrol with.")


def _listed(row: InstanceRow, version: str) -> Listed:
    return Listed(row.instance_id, status_of(row), version, row.address, row.last_seen_at)


def _shown(found: Instance) -> Shown:
    told = survey.InstanceTold(*(getattr(found, column) for column in survey.COLUMNS))
    key = found.key_prefix if found.key_digest and found.key_revoked_at is None else ""
    return Shown(told, key, status_of(found))


def _row(told: Listed) -> list[Piece]:
    seen = f"{age(told.last_seen_at, clock.now())} ago"
    return [(told.id, "bold"), _state(told.status), seen, told.version, told.address]


def _state(status: str) -> Piece:
    return status, _STYLES.get(status, "")


def _show(found: Shown, screen: Screen) -> None:
    told = found.instance
    screen.heading(told.id)
    screen.facts(
        [
            ("state", _state(found.summary)),
            ("host name", told.hostname),
            ("last seen", moment(told.last_seen_at)),
            ("first seen", moment(told.first_seen_at)),
            ("address", told.address),
            ("version", told.version),
            ("pushes", f"every {compact(told.interval)}" if told.interval else ""),
            ("lag", f"{told.lag:.1f} s"),
            ("clock", f"{told.clock_offset:+.1f} s"),
            ("waiting", f"{told.waiting} rounds" if told.waiting else ""),
            ("dropped", ", ".join(f"{count} {kind}" for kind, count in told.dropped.items())),
            ("key", f"{found.key}…" if found.key else "none in force"),
        ],
        indent=2,
    )
    if told.checks:
        screen.gap()
        rows = [
            (name, _state(check["status"]), check["message"]) for name, check in sorted(told.checks.items())
        ]
        screen.table(("check", "state", "message"), rows, indent=2)
