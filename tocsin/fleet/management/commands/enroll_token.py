"""``tocsin enroll_token``: on a hub, a token for which agents get keys of their own."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandParser

from tocsin.core import clock, config
from tocsin.core.errors import Rejected
from tocsin.core.terminal import Screen, moment
from tocsin.db.command import TellingCommand
from tocsin.fleet import enrolment
from tocsin.fleet.schedule import seconds


class Offered(msgspec.Struct):
    """A token; it cannot be read again."""

    token: str
    hub: str
    uses: int
    expires_at: datetime


class Command(TellingCommand[Offered]):
    help = "Make a short-lived token for which agents get keys of their own; shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--for", dest="lifetime", default="1h", help="how long it is good, up to 7d")
        parser.add_argument("--uses", type=int, default=1, help="how many agents may enrol with it")

    def answer(self, options: dict[str, Any]) -> Offered:
        if not config.flag("CLUSTER_ENABLED"):
            raise Rejected("this is no hub: set CLUSTER_ENABLED=1 and start it again")
        now, lifetime = clock.now(), timedelta(seconds=seconds(options["lifetime"]))
        token = enrolment.offer(now=now, lifetime=lifetime, uses=options["uses"], by="tocsin enroll_token")
        return Offered(token, settings.PUBLIC_URL, options["uses"], now + lifetime)

    def show(self, found: Offered, screen: Screen) -> None:
        agents = "one agent" if found.uses == 1 else f"{found.uses} agents"
        screen.line(
            ("✓", "green"), f"A token for {agents}, until {moment(found.expires_at)} UTC. On its machine:"
        )
        screen.line((f"tocsin enroll --hub {found.hub} --token {found.token}", "bold"), indent=2)
