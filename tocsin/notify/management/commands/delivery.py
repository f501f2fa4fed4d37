"""``tocsin delivery``: messages and what came of them, and dead letters sent again."""

from datetime import datetime
from typing import Any, Final

import msgspec
from django.core.management.base import CommandParser
from django.db.models import QuerySet

from tocsin.core import clock, doorbell
from tocsin.core.errors import Rejected, Unknown
from tocsin.core.terminal import Piece, Screen, moment
from tocsin.db.command import TellingCommand, accept_json
from tocsin.notify import services
from tocsin.notify.models import Delivery

SHOWN: Final = 50
_STATES: Final = [state for state, _ in Delivery.STATES]
_COLOURS: Final = {Delivery.SENT: "green", Delivery.DEAD: "red", Delivery.RETRYING: "yellow"}


class Row(msgspec.Struct):
    """One message to one channel."""

    id: str
    channel: str
    driver: str
    incident_id: int | None
    kind: str
    state: str
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    due_at: datetime | None
    latency_ms: float | None
    answer: str
    last_error: str
    folded_into: str


class Deliveries(msgspec.Struct):
    """Some of them, the newest first."""

    deliveries: list[Row]


class Full(msgspec.Struct):
    """One, with what it says, its tries that failed, and how many messages were folded into it."""

    delivery: Row
    message: Any
    failures: list[dict[str, Any]]
    holds: int


class Resent(msgspec.Struct):
    """How many dead letters are on the way again."""

    resent: int


class Command(TellingCommand[Deliveries | Full | Resent]):
    help = "List messages, show what became of one, and send dead letters again."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        actions = parser.add_subparsers(dest="action", required=True, metavar="list | show | resend")
        listing = actions.add_parser("list", help="the newest first")
        listing.add_argument("--state", choices=_STATES)
        listing.add_argument("--channel", default="", metavar="NAME")
        listing.add_argument("--incident", type=int, metavar="NUMBER")
        listing.add_argument("--limit", type=int, default=SHOWN, help="how many; default: %(default)s")
        show = actions.add_parser("show", help="what it says, and each try that failed")
        show.add_argument("id")
        resend = actions.add_parser("resend", help="send dead letters again")
        resend.add_argument("ids", nargs="*", metavar="ID")
        resend.add_argument("--dead", action="store_true", help="all of them")
        resend.add_argument("--channel", default="", metavar="NAME", help="with --dead: those of one channel")
        for one in (listing, show, resend):
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Deliveries | Full | Resent:
        if options["action"] == "show":
            return _full(options["id"])
        if options["action"] == "resend":
            return _resent(options["ids"], options["dead"], options["channel"])
        found = _asked(options)[: max(1, options["limit"])]
        return Deliveries([_row(delivery) for delivery in found])

    def show(self, found: Deliveries | Full | Resent, screen: Screen) -> None:
        if isinstance(found, Deliveries):
            _show_list(found.deliveries, screen)
        elif isinstance(found, Full):
            _show_full(found, screen)
        else:
            screen.line(("✓", "green"), f"On the way again: {found.resent}.")


def _asked(options: dict[str, Any]) -> QuerySet[Delivery]:
    rows = Delivery.objects.select_related("channel").defer("message").order_by("-pk")
    if options["state"]:
        rows = rows.filter(state=options["state"])
    if options["channel"]:
        rows = rows.filter(channel=services.named_channel(options["channel"]))
    if options["incident"] is not None:
        rows = rows.filter(incident_id=options["incident"])
    return rows


def _row(delivery: Delivery) -> Row:
    own = (name for name in Row.__struct_fields__ if name not in ("channel", "driver"))
    channel = delivery.channel
    return Row(channel=channel.name, driver=channel.driver, **{name: getattr(delivery, name) for name in own})


def _full(key: str) -> Full:
    found = Delivery.objects.select_related("channel").filter(pk=key).first()
    if found is None:
        raise Unknown(f"there is no delivery {key[:64]}")
    holds = Delivery.objects.filter(folded_into=found.pk).count()
    return Full(_row(found), found.message, found.failures, holds)


def _resent(ids: list[str], dead: bool, channel: str) -> Resent:
    if bool(ids) == dead:
        raise Rejected("name the deliveries to send again, or all of them with --dead")
    if dead:
        count = services.requeue_all(channel=channel, now=clock.now())
    else:
        count = services.requeue(delivery_ids=ids, now=clock.now())
    doorbell.ring()
    return Resent(count)


def _show_list(found: list[Row], screen: Screen) -> None:
    if not found:
        screen.line("There is none.")
        return
    rows = [
        ((one.id, "bold"), _state(one), one.channel, one.kind, moment(one.created_at),
         one.last_error or one.answer)
        for one in found
    ]  # fmt: skip
    screen.table(("delivery", "", "channel", "kind", "made (UTC)", ""), rows)


def _state(one: Row) -> Piece:
    return one.state, _COLOURS.get(one.state, "dim")


def _show_full(found: Full, screen: Screen) -> None:
    one = found.delivery
    screen.line(_state(one), f"{one.kind} to {one.channel} ({one.driver}), made {moment(one.created_at)} UTC")
    if one.incident_id is not None:
        screen.line(f"about incident #{one.incident_id}", indent=2)
    if one.answer:
        screen.line(f"answer: {one.answer}", indent=2)
    if one.folded_into:
        screen.line(f"folded into {one.folded_into}", indent=2)
    if found.holds:
        screen.line(f"holds {found.holds} other messages", indent=2)
    if found.failures:
        screen.heading("Tries that failed")
        rows = [
            (str(f.get("at", ""))[:19], f"{f.get('took_ms', 0)} ms", f.get("error", ""))
            for f in found.failures
        ]
        screen.table(("at (UTC)", "took", "why"), rows, indent=2)
    screen.heading("Message")
    screen.line(msgspec.json.format(msgspec.json.encode(found.message), indent=2).decode())
