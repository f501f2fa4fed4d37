"""``tocsin source``: senders with a token and labels of their own."""

from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandParser

from tocsin.alerts import mapping, sources
from tocsin.alerts.models import Source
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.labels import describe
from tocsin.core.terminal import Piece, Screen, moment
from tocsin.db.command import TellingCommand, accept_json


class Created(msgspec.Struct):
    """A new source; its token cannot be read again."""

    name: str
    token: str
    labels: dict[str, str]
    url: str


class SourceTold(msgspec.Struct):
    """A source, as far as anybody can know it."""

    name: str
    prefix: str
    labels: dict[str, str]
    enabled: bool
    created_at: datetime


class Sources(msgspec.Struct):
    """All of them."""

    sources: list[SourceTold]


class Revoked(msgspec.Struct):
    """The name of the source whose token opens nothing any more."""

    revoked: str


class Command(TellingCommand[Created | Sources | Revoked]):
    help = "Create, list and revoke sources: senders with a token and labels of their own."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        actions = parser.add_subparsers(dest="action", required=True, metavar="create | list | revoke")
        create = actions.add_parser("create", help="make a source and show its token once")
        create.add_argument("name", help="what sends, such as zabbix-eu; its alerts bear it as label source")
        create.add_argument(
            "--label", action="append", default=[], metavar="NAME=VALUE",
            help="a label for its alerts that lack it; may be given several times",
        )  # fmt: skip
        create.add_argument(
            "--mapping", metavar="FILE", help="how what it posts to its own URL is read, as JSON: see Sources"
        )
        create.add_argument(
            "--group-by", action="append", default=[], metavar="LABEL",
            help="a label that puts its alerts into one incident; may be given several times",
        )  # fmt: skip
        create.add_argument(
            "--budget", type=int, metavar="N",
            help="incidents it may open a minute before the rest joins one storm incident; 0: no limit",
        )  # fmt: skip
        listing = actions.add_parser("list", help="show all sources by their tokens' first characters")
        revoke = actions.add_parser("revoke", help="end a token's life")
        revoke.add_argument("name")
        for one in (create, listing, revoke):
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Created | Sources | Revoked:
        if options["action"] == "create":
            name, labels = options["name"], dict(_pair(given) for given in options["label"])
            how = mapping.from_file(options["mapping"]) if options["mapping"] else None
            token = sources.create_source(
                name=name,
                labels=labels,
                now=clock.now(),
                mapping=how,
                group_by=options["group_by"],
                budget=options["budget"],
            )
            return Created(name, token, labels, f"{settings.PUBLIC_URL}/alerts/source/{token}/")
        if options["action"] == "revoke":
            sources.revoke_source(name=options["name"])
            return Revoked(options["name"])
        rows = Source.objects.order_by("name")
        return Sources([SourceTold(r.name, r.prefix, r.labels, r.enabled, r.created_at) for r in rows])

    def show(self, found: Created | Sources | Revoked, screen: Screen) -> None:
        if isinstance(found, Created):
            screen.line(("✓", "green"), f"Source {found.name}. Its token is shown this once:")
            screen.line((found.token, "bold"), indent=2)
            screen.line(
                ("Use it as a routing key, a GenieKey or as Bearer …, or post to its own URL:", "dim")
            )
            screen.line(found.url, indent=2)
        elif isinstance(found, Revoked):
            screen.line(("✓", "green"), f"The token of {found.revoked} opens nothing any more.")
        elif found.sources:
            screen.table(
                ("source", "begins", "labels", "made (UTC)", ""), [_row(source) for source in found.sources]
            )
        else:
            screen.line("There is no source yet: tocsin source create NAME")


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise Rejected(f"--label {given[:64]!r} is no label: give it as name=value")
    return name.strip(), value.strip()


def _row(source: SourceTold) -> list[Piece]:
    state: Piece = ("in force", "green") if source.enabled else ("revoked", "yellow")
    labels = describe(source.labels, list(source.labels))
    return [(source.name, "bold"), f"{source.prefix}…", labels, moment(source.created_at), state]
