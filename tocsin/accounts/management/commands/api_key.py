"""``tocsin api_key``: keys for programs."""

from datetime import datetime
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.accounts import services
from tocsin.accounts.models import ApiKey
from tocsin.core import clock
from tocsin.core.terminal import Piece, Screen, moment
from tocsin.db.command import TellingCommand, accept_json

SCOPES = [scope for scope, _ in ApiKey.SCOPES]


class Created(msgspec.Struct):
    """A new key; it cannot be read again."""

    key: str
    name: str
    scope: str


class KeyTold(msgspec.Struct):
    """A key, as far as anybody can know it."""

    name: str
    prefix: str
    scope: str
    created_at: datetime
    revoked_at: datetime | None


class Keys(msgspec.Struct):
    """All of them."""

    keys: list[KeyTold]


class Revoked(msgspec.Struct):
    """The name of the key that opens nothing any more."""

    revoked: str


class Command(TellingCommand[Created | Keys | Revoked]):
    help = "Create, list and revoke API keys, sent as Authorization: Bearer …"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        actions = parser.add_subparsers(dest="action", required=True, metavar="create | list | revoke")
        create = actions.add_parser("create", help="make a key and show it once")
        create.add_argument("name", help="whose or what for, such as prometheus-eu")
        create.add_argument("--scope", choices=SCOPES, default=ApiKey.INGEST, help="what it may do")
        listing = actions.add_parser("list", help="show all keys by their first characters")
        revoke = actions.add_parser("revoke", help="end a key's life at once")
        revoke.add_argument("name")
        for one in (create, listing, revoke):
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Created | Keys | Revoked:
        if options["action"] == "create":
            name, scope = options["name"], options["scope"]
            return Created(services.create_api_key(name=name, scope=scope, now=clock.now()), name, scope)
        if options["action"] == "revoke":
            services.revoke_api_key(name=options["name"], now=clock.now())
            return Revoked(options["name"])
        keys = ApiKey.objects.order_by("name")
        return Keys([KeyTold(k.name, k.prefix, k.scope, k.created_at, k.revoked_at) for k in keys])

    def show(self, found: Created | Keys | Revoked, screen: Screen) -> None:
        if isinstance(found, Created):
            screen.line(("✓", "green"), f"Key {found.name}, scope {found.scope}. It is shown this once:")
            screen.line((found.key, "bold"), indent=2)
            screen.line(("Send it as  Authorization: Bearer …", "dim"))
        elif isinstance(found, Revoked):
            screen.line(("✓", "green"), f"Key {found.revoked} opens nothing any more.")
        elif found.keys:
            screen.table(("key", "begins", "scope", "made (UTC)", ""), [_row(key) for key in found.keys])
        else:
            screen.line("There is no key yet: tocsin api_key create NAME")


def _row(key: KeyTold) -> list[Piece]:
    state: Piece = (
        (f"revoked {moment(key.revoked_at)}", "yellow") if key.revoked_at else ("in force", "green")
    )
    return [(key.name, "bold"), f"{key.prefix}…", key.scope, moment(key.created_at), state]
