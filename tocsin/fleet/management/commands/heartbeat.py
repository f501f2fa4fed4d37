"""``tocsin heartbeat``: jobs that must tell that they ran."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.core import clock, doorbell
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Piece, Screen, age
from tocsin.db.command import TellingCommand, accept_json
from tocsin.fleet import healthchecks, heartbeats
from tocsin.fleet.models import Heartbeat
from tocsin.fleet.schedule import GRACE, Schedule, compact, seconds

_COLOURS = {
    Heartbeat.UP: "green", Heartbeat.DOWN: "bold red", Heartbeat.LATE: "yellow", Heartbeat.RUNNING: "cyan",
    Heartbeat.PAUSED: "dim",
}  # fmt: skip


class HeartbeatTold(msgspec.Struct):
    """A heartbeat, its ping URL included."""

    name: str
    state: str
    schedule: str
    grace: int
    ping_url: str
    last_ping_at: datetime | None
    expected_at: datetime | None
    reason: str
    labels: dict[str, str]


class Created(msgspec.Struct):
    """A new heartbeat."""

    created: HeartbeatTold


class Heartbeats(msgspec.Struct):
    """All of them."""

    heartbeats: list[HeartbeatTold]


class Done(msgspec.Struct):
    """What was done to which."""

    name: str
    done: str


class Imported(msgspec.Struct):
    """What became of each check."""

    checks: list[healthchecks.Moved]


Answer = Created | Heartbeats | Done | Imported


class Command(TellingCommand[Answer]):
    help = "Make, list, pause and remove heartbeats: jobs that must tell that they ran."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        words = "create | list | pause | resume | remove | import"
        actions = parser.add_subparsers(dest="action", required=True, metavar=words)
        create = actions.add_parser("create", help="make one and show its ping URL")
        create.add_argument("name", help="what must come, such as nightly-backup")
        create.add_argument("--uuid", help="the token of its ping URL, where a job has one already")
        create.add_argument("--period", metavar="DURATION", help="how often it comes, such as 1h or 90s")
        create.add_argument("--cron", metavar="LINE", help="when it comes, such as '10 3 * * *'")
        create.add_argument(
            "--timezone", default="UTC", metavar="ZONE", help="whose clock the cron line goes by"
        )
        create.add_argument(
            "--grace",
            default=compact(GRACE),
            metavar="DURATION",
            help="how late it may be, how long it may run",
        )
        create.add_argument(
            "--label", action="append", default=[], metavar="NAME=VALUE",
            help="a label of its alerts, such as severity=warning; may be given several times",
        )  # fmt: skip
        parsers = [create, actions.add_parser("list", help="show all and how they fare")]
        for word, meaning in (
            ("pause", "expect nothing of one until it is resumed or pings"),
            ("resume", "expect it again, from now on"),
            ("remove", "let go of one and of its pings"),
        ):
            parsers.append(actions.add_parser(word, help=meaning))
            parsers[-1].add_argument("name")
        parsers.append(actions.add_parser("import", help="take over the checks of a Healthchecks account"))
        parsers[-1].add_argument("file", help="the answer of its GET /api/v3/checks/")
        for one in parsers:
            accept_json(one)

    def answer(self, options: dict[str, Any]) -> Answer:
        action, now = options["action"], clock.now()
        if action == "list":
            return Heartbeats([_told(row, now) for row in Heartbeat.objects.order_by("name")])
        if action == "import":
            return Imported(list(healthchecks.move(healthchecks.checks_in(options["file"]), now)))
        if action == "create":
            return Created(_told(_created(options, now), now))
        return _act(action, options["name"], now)

    def show(self, found: Answer, screen: Screen) -> None:
        if isinstance(found, Created):
            told = found.created
            screen.line(("✓", "green"), f"Heartbeat {told.name}, {told.schedule}. Its job should call")
            screen.line((told.ping_url, "bold"), indent=2)
            screen.line(("when it ran; with /start before, and with /fail or /$? after it.", "dim"))
        elif isinstance(found, Done):
            screen.line(("✓", "green"), f"{found.name} is {found.done}.")
        elif isinstance(found, Imported):
            _show_imported(found.checks, screen)
        elif found.heartbeats:
            columns = ("heartbeat", "state", "schedule", "last ping", "ping URL")
            screen.table(columns, [_row(told) for told in found.heartbeats])
        else:
            screen.line("There is no heartbeat yet: tocsin heartbeat create NAME --period 1h")


def _created(options: Mapping[str, Any], now: datetime) -> Heartbeat:
    period = seconds(options["period"]) if options["period"] else None
    schedule = Schedule(period, options["cron"] or "", options["timezone"], seconds(options["grace"]))
    labels = dict(_pair(given) for given in options["label"])
    return heartbeats.create(
        name=options["name"], token=options["uuid"] or "", schedule=schedule, labels=labels, now=now
    )


def _act(action: str, name: str, now: datetime) -> Done:
    act, done = {
        "pause": (heartbeats.pause, "paused"),
        "resume": (heartbeats.resume, "expected again"),
        "remove": (heartbeats.remove, "removed"),
    }[action]
    act(heartbeat_id=heartbeats.named(name).pk, now=now)
    doorbell.ring()
    return Done(name, done)


def _told(row: Heartbeat, now: datetime) -> HeartbeatTold:
    return HeartbeatTold(
        name=row.name,
        state=row.seen_at(now),
        schedule=row.schedule.words(),
        grace=row.grace,
        ping_url=heartbeats.ping_url(row),
        last_ping_at=row.last_ping_at,
        expected_at=row.expected_at,
        reason=row.reason,
        labels=row.labels,
    )


def _row(told: HeartbeatTold) -> list[Piece]:
    state: Piece = (told.state, _COLOURS.get(told.state, ""))
    last = f"{age(told.last_ping_at, clock.now())} ago" if told.last_ping_at else "never"
    return [(told.name, "bold"), state, told.schedule, last, told.ping_url]


def _show_imported(checks: list[healthchecks.Moved], screen: Screen) -> None:
    for moved in checks:
        if moved.reason:
            screen.line(("✗", "red"), f"{moved.check}: {moved.reason}")
        else:
            called = f"{moved.check} as {moved.heartbeat}" if moved.check != moved.heartbeat else moved.check
            screen.line(("✓", "green"), called, (moved.schedule, "dim"))
    taken = sum(not moved.reason for moved in checks)
    screen.line(f"{taken} of {len(checks)} checks were taken over; their jobs' URLs work here.")


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise Rejected(f"--label {given[:64]!r} is no label: give it as name=value")
    return name.strip(), value.strip()
