"""``tocsin replay``: try a change on what happened."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from tocsin.core import clock, durations
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Progress, Screen, moment
from tocsin.db.command import TellingCommand
from tocsin.orchestration.management.replayed import SHOWN, show
from tocsin.orchestration.replay import configuration
from tocsin.orchestration.replay.configuration import Configuration
from tocsin.orchestration.replay.play import Replay, replay


class Command(TellingCommand[Replay | Configuration]):
    help = "Play recorded alerts through a changed configuration, and tell what would have been otherwise."
    _most = SHOWN

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--since", default="7d", metavar="TIME", help="from when: 7d (before now), or 2026-11-14T08:00Z"
        )
        parser.add_argument("--until", default="0s", metavar="TIME", help="up to when; default: now")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--config", metavar="FILE", help="what to change: JSON, or YAML where it ends in .yaml"
        )
        what.add_argument(
            "--print-config", action="store_true", help="print the present one as JSON, without secrets"
        )
        parser.add_argument(
            "--all", action="store_true", help=f"tell every difference, not the first {SHOWN} of each kind"
        )
        parser.add_argument(
            "--fail-on-difference", action="store_true", help="end with exit code 1 where anything differs"
        )

    def answer(self, options: dict[str, Any]) -> Replay | Configuration:
        now = clock.now()
        since, until = (_time(options[name], name, now) for name in ("since", "until"))
        if since >= until:
            raise Rejected("--since must be earlier than --until")
        if options["print_config"]:
            return configuration.present(since, until)
        self._most = sys.maxsize if options["all"] else SHOWN
        with Progress(sys.stderr) as progress:
            found = replay(
                Path(options["config"]),
                since,
                until,
                lambda count, at: progress.show(f"{count:,} entries, up to {moment(at)} UTC"),
            )
        if options["fail_on_difference"] and not found.difference.none:
            self.exit_code = 1
        return found

    def show(self, found: Replay | Configuration, screen: Screen) -> None:
        if isinstance(found, Configuration):
            self.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode())
        else:
            show(found, screen, self._most)


def _time(text: str, option: str, now: datetime) -> datetime:
    """A moment, or how long before now. Raises Rejected."""
    try:
        return now - timedelta(seconds=durations.seconds(text))
    except Rejected:
        pass
    except OverflowError:
        raise Rejected(f"--{option}: {text} is before all time") from None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        told = (
            f"--{option}: {text[:40]!r} is neither a duration such as 7d nor a time such as 2026-11-14T08:00Z"
        )
        raise Rejected(told) from None
    return given.replace(tzinfo=given.tzinfo or UTC).astimezone(UTC)
