"""The ways in, in this process: the real door, a real committer, the test database."""

import asyncio
import contextvars
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
from asgiref.sync import sync_to_async
from django.db import connections

from tests.asgi import Answer, Request, call, call_all
from tocsin.alerts import deeds
from tocsin.alerts.events import Beat, Deed, FeedEvent, Push
from tocsin.alerts.intake.access import Access, Proof
from tocsin.alerts.intake.beside import BesideAlerts, Sink
from tocsin.alerts.intake.committer import Committer
from tocsin.alerts.intake.door import Door
from tocsin.alerts.models import Alert
from tocsin.fleet import enrolment, feed, heartbeats, instances

ANY, API = "/alerts/webhook/", "/api/v2/alerts"
GENERIC, ALERTMANAGER = "/alerts/webhook/generic/", "/alerts/webhook/alertmanager/"
MAX_BYTES = 5 * 1024 * 1024
SINKS: dict[type, Sink] = {
    Deed: deeds.perform,
    Beat: heartbeats.take,
    FeedEvent: feed.record,
    Push: instances.take,
}
T = TypeVar("T")


class Doorway:
    """``post`` to it as a monitoring tool would."""

    def __init__(self, runner: asyncio.Runner, limit: int, access: Access) -> None:
        self.rings = 0
        self._runner = runner
        # Django keeps a thread's connection in its context: the test's own must not leak to other threads.
        self._context = contextvars.Context()
        self.committer = Committer(limit, self._ring)
        beside = BesideAlerts(SINKS, self._ring)
        self.door = Door(self.committer, access, beside, MAX_BYTES, timedelta(minutes=5))

    def _ring(self) -> None:
        self.rings += 1

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the door's event loop."""
        return self._runner.run(work, context=self._context)

    async def start(self) -> None:
        self.committer.start()

    def call(self, request: Request) -> Answer:
        """Any request, whole or cut short."""
        assert self.door.matches(request.scope()), f"{request.method} {request.path} is not for the door"
        return self.run(call(self.door, request))

    def call_all(self, *requests: Request) -> list[Answer]:
        """Requests that arrive at the same moment."""
        return self.run(call_all(self.door, requests))

    def post(self, payload: Any, path: str = GENERIC, headers: Mapping[str, str] | None = None) -> Answer:
        """Post bytes as they are, anything else as JSON."""
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        return self.call(Request(path, [body], headers=headers))

    def still_works(self) -> None:
        """The process is unmoved: a good post is taken and stored."""
        before = Alert.objects.count()
        answer = self.post({"name": f"Good{before}"})
        assert (answer.status, answer.json["alerts"]) == (202, 1)
        assert Alert.objects.count() == before + 1


@contextmanager
def doorway(
    limit: int = 50_000, open_door: bool = True, proofs: Mapping[str, Proof] | None = None
) -> Iterator[Doorway]:
    """A door with a committer of its own, gone at the end."""
    with asyncio.Runner() as runner:
        way = Doorway(runner, limit, Access(open_door, proofs, enrolment.agents))
        way.run(way.start())
        try:
            yield way
        finally:
            way.committer.stop()
            way.door.close()
            way.run(sync_to_async(connections.close_all)())
