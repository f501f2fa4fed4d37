"""A small world with a clock that can be moved: real intake, real database, real worker turns, a
real receiver. Tests that use it read like the manual."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from tests.fakes.receiver import Receiver
from tocsin.alerts.apis import alertmanager
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import Beat
from tocsin.alerts.intake.beside import Told
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.alerts.intake.limits import keep_good
from tocsin.alerts.models import Incident
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.rounds import PAUSE_SECONDS, Rounds
from tocsin.checkers.services import CheckSet
from tocsin.core.ids import new_id
from tocsin.db.work import Worker
from tocsin.fleet import heartbeats
from tocsin.notify import services as notify
from tocsin.notify.models import NotificationChannel
from tocsin.notify.watch import ALERTNAME
from tocsin.orchestration.inline import work


@cache
def found() -> list[CheckResult]:
    """What the checks found on this machine: looked at once, as that takes longer than most tests."""
    return CheckSet().run()


class World:
    """``post`` alerts, ``forward`` the clock, ``work`` until nothing is due, look at what was sent."""

    def __init__(self, receiver: Receiver) -> None:
        self.now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
        self.receiver = receiver
        self.journal = Journal()
        self.worker = Worker()
        self.checks = CheckSet()
        self.checks.results, self.checks.taken_at = found(), time.monotonic()
        self.rounds = Rounds(self.worker)

    def channel(self, name: str = "hook", driver: str = "webhook", **config: Any) -> NotificationChannel:
        """Add a channel, to the world's receiver unless told otherwise."""
        given = config or {"url": self.receiver.url}
        return notify.add_channel(name=name, driver=driver, given=given, now=self.now)

    def post(self, payload: Any, driver: str = "generic", sender: str = "") -> int:
        """Take a payload in, as the door would; return how many changes it made. ``sender`` is the
        source whose token came with it."""
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        if driver == "prometheus":
            reading = alertmanager.read(body, self.now, timedelta(minutes=5))
        else:
            reading = drivers.get(driver)().parse(body)
        reading = keep_good(reading)
        return self.journal.commit([Post(reading.alerts, driver, new_id(), self.now, sender)])

    def fire(self, name: str = "HighCPU", instance: str = "web-1", **fields: Any) -> int:
        """Post one firing alert."""
        return self.post({"name": name, "labels": {"instance": instance}, "status": "firing", **fields})

    def resolve(self, name: str = "HighCPU", instance: str = "web-1", **fields: Any) -> int:
        """Post its end."""
        return self.post({"name": name, "labels": {"instance": instance}, "status": "resolved", **fields})

    def beat(self, name: str = "nightly-backup", signal: str = "success", **fields: Any) -> None:
        """Let a job tell that it lives."""
        beat = msgspec.convert({"name": name, "signal": signal, **fields}, Beat)
        heartbeats.take([beat], Told("healthchecks", "", new_id(), self.now, trusted=True))

    def forward(self, **duration: float) -> None:
        """Move the clock and do what came due."""
        self.now += timedelta(**duration)
        self.work()

    def work(self) -> None:
        """Let a worker take turns until nothing is due and all is sent."""
        self.journal.flush()
        self.look()
        asyncio.run(work(self.worker, self.checks, lambda: self.now))

    def look(self) -> None:
        """Let a worker's rounds look at all monitors that are due, and wait for what they find."""
        while self.rounds.turn(self.now) or self.rounds.busy:
            time.sleep(PAUSE_SECONDS)

    @property
    def sent(self) -> list[Any]:
        """The messages the receiver got."""
        return [request.json for request in self.receiver.received]

    def kinds(self) -> list[str]:
        """What kinds of messages the receiver got, in order."""
        return [message["kind"] for message in self.sent]

    def incident(self) -> Incident:
        """The one incident there is, besides those about channels that fail."""
        return Incident.objects.exclude(title__startswith=ALERTNAME).get()
