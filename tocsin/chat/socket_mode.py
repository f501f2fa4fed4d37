"""Socket Mode: Slack sends what it would post over a WebSocket that is opened from here, for hubs that it
cannot reach. An envelope is acknowledged once what it asks for is on disk; Slack sends another one again.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from django.db import DatabaseError, connections
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tocsin.chat import afterwards, desk, slack
from tocsin.chat.desk import Answer
from tocsin.core import clock, log
from tocsin.core.errors import Rejected, TocsinError, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import allowed, resolve_all
from tocsin.db.work import backoff

logger = log.get(__name__)

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
OPEN_SECONDS: Final = 10.0
PING_SECONDS: Final = 20.0  # a peer that is gone without a word is noticed within two of these
MOST_BYTES: Final = 1024 * 1024
AT_ONCE: Final = 8
OPEN: Final = "apps.connections.open"
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Envelope(msgspec.Struct):
    """What comes over the wire."""

    type: str
    envelope_id: str = ""
    payload: dict[str, Any] = {}
    reason: str = ""


class SocketMode:
    """Keeps one connection to Slack open, and answers what comes by it."""

    def __init__(self, app_token: str, api_url: str) -> None:
        self._app_token = app_token
        self._api_url = api_url
        self._http = Client()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._at_work: set[asyncio.Task[None]] = set()
        self._failures = 0

    async def run(self) -> None:
        """Be connected until cancelled; after a failure again, with growing waits."""
        try:
            while True:
                try:
                    await self._connected()
                except (TocsinError, WebSocketException, OSError, TimeoutError) as error:
                    await self._wait(error)
        finally:
            await self._finish()
            self._http.close()

    async def _wait(self, error: Exception) -> None:
        self._failures += 1
        seconds = backoff(self._failures, FIRST_WAIT, LONGEST_WAIT).total_seconds()
        if isinstance(error, Unavailable) and error.retry_after:
            seconds = max(seconds, error.retry_after)
        told = f"{type(error).__name__}: {error}"
        logger.warning("chat.disconnected", error=told, retry_in=round(seconds, 1))
        await asyncio.sleep(seconds)

    async def _connected(self) -> None:
        """One connection, until Slack wants another to be opened. Raises what ended it otherwise."""
        async with await _dial(await self._address()) as wire:
            logger.info("chat.connected")
            async for frame in wire:
                self._failures = 0
                envelope = _read(frame)
                if envelope is None or envelope.type == "hello":
                    continue
                if envelope.type == "disconnect":
                    if envelope.reason == "link_disabled":
                        raise Rejected("Socket Mode is switched off for this app")
                    break
                await self._room.acquire()
                task = asyncio.create_task(self._take(envelope, wire))
                self._at_work.add(task)
                task.add_done_callback(self._done)
            await self._finish()  # their answers go by this connection

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._at_work.discard(task)
        self._room.release()

    async def _finish(self) -> None:
        """Let what is being answered be answered."""
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=OPEN_SECONDS)

    async def _address(self) -> str:
        headers = {"Authorization": f"Bearer {self._app_token}", **_FORM}
        response = await self._http.post(slack.method(self._api_url, OPEN), b"", headers, OPEN_SECONDS)
        response.require_success()
        said = response.json()
        slack.require_ok(said)
        return str(said.get("url", ""))

    async def _take(self, envelope: Envelope, wire: ClientConnection) -> None:
        """Do what it asks, then acknowledge it."""
        try:
            answer = await asyncio.to_thread(_answered, envelope)
        except DatabaseError as error:  # not acknowledged: it comes again
            logger.error("chat.not_taken", kind=envelope.type, error=str(error))
            return
        said: dict[str, Any] = {"envelope_id": envelope.envelope_id}
        if answer.body is not None:
            said["payload"] = answer.body
        with suppress(WebSocketException):  # it comes again, and does nothing twice
            await wire.send(msgspec.json.encode(said).decode())
        for work in answer.later:
            afterwards.do(work)


async def _dial(url: str) -> connect:
    """A connection that is about to be made, to an address that may be reached. Raises Unavailable, Forbidden
    or Rejected."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "wss" else 80)
    except ValueError as error:
        raise Rejected(f"Slack gave no address: {error}") from error
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise Rejected("Slack gave no address of a WebSocket")
    addresses = await resolve_all(parts.hostname, port, allowed())
    named: dict[str, Any] = {}
    if parts.scheme == "wss":
        named = {"ssl": ssl.create_default_context(), "server_hostname": parts.hostname}
    return connect(
        url, host=addresses[0], port=port, proxy=None, max_size=MOST_BYTES, open_timeout=OPEN_SECONDS,
        ping_interval=PING_SECONDS, ping_timeout=PING_SECONDS, close_timeout=2, **named,
    )  # fmt: skip


def _read(frame: str | bytes) -> Envelope | None:
    try:
        return msgspec.json.decode(frame, type=Envelope)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        logger.warning("chat.unreadable", error=str(error))
        return None


def _answered(envelope: Envelope) -> Answer:
    """What an envelope is answered. What is none of Slack's is acknowledged: it would only come again."""
    ask = _ASKED.get(envelope.type)
    try:
        return ask(envelope.payload) if ask else Answer()
    except Rejected as error:
        logger.warning("chat.unreadable", error=str(error))
        return Answer()
    finally:
        connections.close_all()  # the thread may not be asked again for long


_ASKED: Final[dict[str, Callable[[dict[str, Any]], Answer]]] = {
    "interactive": lambda payload: desk.interaction(payload, clock.now()),
    "slash_commands": lambda payload: desk.command(payload, clock.now()),
    "events_api": desk.event,
}
