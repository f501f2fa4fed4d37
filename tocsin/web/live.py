"""The live feed: tells open pages that something changed, as server-sent events.

One poller a web process, for all who listen, and only while somebody does. It reads a token that
costs two look-ups in indexes; a page that hears of a new token fetches itself again.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Final

from django.contrib.auth.decorators import login_required
from django.db import Error, connection
from django.db.models import Max
from django.http import HttpRequest, StreamingHttpResponse

from tocsin.alerts.models import Incident
from tocsin.core import log
from tocsin.orchestration.models import StageExecution

logger = log.get(__name__)

POLL_SECONDS: Final = 0.5
HEARTBEAT_SECONDS: Final = 15.0


def token() -> str:
    """A text that differs once an incident or a run has changed."""
    changed = Incident.objects.aggregate(at=Max("updated_at"))["at"]
    stage = StageExecution.objects.aggregate(last=Max("pk"))["last"]
    return f"{changed.timestamp() if changed else 0:.6f}-{stage or 0}"


class Feed:
    """Follows the token for any number of listeners."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._token = ""
        self._listeners: set[asyncio.Event] = set()
        self._poller: asyncio.Task[None] | None = None
        self._closed = False

    async def follow(self, seen: str) -> AsyncGenerator[str, None]:
        """Every token that differs from the one seen before; an empty text as heartbeat."""
        rung = asyncio.Event()
        self._listeners.add(rung)
        if self._poller is None:
            self._token = ""
            self._poller = asyncio.create_task(self._poll(), name="live feed")
        try:
            while not self._closed:
                if self._token not in ("", seen):
                    seen = self._token
                    yield seen
                elif not await _rings(rung):
                    yield ""
        finally:
            self._leave(rung)

    def close(self) -> None:
        """Let every listener go; for the end of the process."""
        self._closed = True
        self._ring()

    def _leave(self, rung: asyncio.Event) -> None:
        self._listeners.discard(rung)
        if not self._listeners and self._poller is not None:
            self._poller.cancel()
            self._poller = None

    def _ring(self) -> None:
        for rung in self._listeners:
            rung.set()

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="live") as thread:
            try:
                while True:
                    found = await loop.run_in_executor(thread, self._look)
                    if found != self._token:
                        self._token = found
                        self._ring()
                    await asyncio.sleep(POLL_SECONDS)
            finally:
                thread.submit(lambda: connection.close())  # looked up there: each thread has its own

    def _look(self) -> str:
        try:
            return self._read()
        except Error as error:  # a database that is away for a while is no end of the feed
            logger.warning("live.database_failed", error=str(error))
            connection.close()
            return self._token


async def _rings(rung: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            await rung.wait()
    except TimeoutError:
        return False
    rung.clear()
    return True


feed = Feed(token)


@login_required
async def live(request: HttpRequest) -> StreamingHttpResponse:
    """The feed as server-sent events; ``since`` is the token the page was made at."""
    events = _events(request.GET.get("since", ""))
    response = StreamingHttpResponse(events, content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back
    return response


async def _events(seen: str) -> AsyncIterator[str]:
    yield ": listening\n\n"
    async with aclosing(feed.follow(seen)) as tokens:
        async for found in tokens:
            yield f"event: changed\ndata: {found}\n\n" if found else ": heartbeat\n\n"
