"""``tocsin parked``: payloads that nobody could read, and reading them after all."""

from datetime import datetime
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.alerts import mapping, parked
from tocsin.alerts.models import ParkedPayload
from tocsin.alerts.parked import Replayed
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Piece, Screen, moment
from tocsin.db.command import TellingCommand, accept_json


class Unread(msgspec.Struct):
    """One that waits; ``body`` is empty in lists."""

    id: int
    received_at: datetime
    driver: str
    content_type: str
    size: int
    reason: str
    trace_id: str
    body: str = ""


class Waiting(msgspec.Struct):
    """All that wait, newest first."""

    parked: list[Unread]


class Command(TellingCommand[Waiting | Unread | Replayed]):
    help = "List, show and replay payloads that were posted and could not be read."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        actions = parser.add_subparsers(dest="action", required=True, metavar="list | show | replay")
        listing = actions.add_parser("list", help="show what waits, newest first")
        show = actions.add_parser("show", help="show one in full")
        replay = actions.add_parser("replay", help="take one in, by a driver or a mapping, and let go of it")
        for one in (show, replay):
            one.add_argument("id", type=int)
        how = replay.add_mutually_exclusive_group()
        how.add_argument("--driver", help="which tool's payload it is; default: found from the payload")
        how.add_argument("--mapping", metavar="FILE", help="a mapping as JSON: where each thing stands in it")
        for one in (listing, show, replay):
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Waiting | Unread | Replayed:
        if options["action"] == "list":
            return Waiting([_told(row) for row in ParkedPayload.objects.defer("body").order_by("-pk")])
        if options["action"] == "show":
            row = ParkedPayload.objects.filter(pk=options["id"]).first()
            if row is None:
                raise Rejected(f"there is no parked payload {options['id']}: tocsin parked list")
            return _told(row, row.text)
        given = mapping.from_file(options["mapping"]) if options["mapping"] else None
        driver = options["driver"] or ""
        return parked.replay(parked_id=options["id"], now=clock.now(), driver=driver, mapping=given)

    def show(self, found: Waiting | Unread | Replayed, screen: Screen) -> None:
        if isinstance(found, Replayed):
            count = f"{found.alerts} alert{'' if found.alerts == 1 else 's'}"
            screen.line(("✓", "green"), f"Taken in {count}, read by {found.read_by}, trace", found.trace_id)
            for problem in found.errors:
                screen.line(("✗", "red"), f"alerts[{problem.index}]: {problem.message}")
        elif isinstance(found, Unread):
            screen.line((found.reason, "bold"))
            screen.gap()
            screen.line(found.body)
        elif found.parked:
            columns = ("id", "received (UTC)", "driver", "bytes", "why nobody could read it")
            screen.table(columns, [_row(unread) for unread in found.parked])
        else:
            screen.line("Everything that was posted could be read.")


def _told(row: ParkedPayload, body: str = "") -> Unread:
    return Unread(
        row.pk, row.received_at, row.driver, row.content_type, row.size, row.reason, row.trace_id, body
    )


def _row(unread: Unread) -> list[Piece]:
    return [str(unread.id), moment(unread.received_at), unread.driver, str(unread.size), unread.reason[:200]]
