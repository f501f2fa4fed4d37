"""A small HTTP/1.1 client for delivery: guarded, bounded, with kept-alive connections.

General clients resolve names themselves, so that the checked address and the one connected to may
differ, and cost several times more a request. This one sends a request and reads a short answer.
Redirects are not followed: a receiver that moved is an error for people to see.
"""

import asyncio
import base64
import ssl
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httptools
import msgspec

from tocsin.core import clock
from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.outbound import Allowed, allowed, resolve_all

MAX_ANSWER: Final = 64 * 1024
MAX_RETRY_AFTER: Final = 3600.0
IDLE_PER_HOST: Final = 64
_RETRYABLE: Final = {408, 425, 429}


@dataclass
class Response:
    """A receiver's answer; ``body`` holds its first 64 KiB, or as much as was asked for."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def text(self, limit: int = 300) -> str:
        """The beginning of the body, for people to read in an error: nothing in it can move a cursor, or
        turn the line round."""
        words = " ".join(self.body[: limit * 4].decode("utf-8", "replace").split())
        return "".join(sign if sign.isprintable() else "\ufffd" for sign in words[:limit])

    def json(self) -> dict[str, Any]:
        """The body's JSON object; an empty one where it holds none."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}

    def require_success(self, retry_after: float | None = None) -> None:
        """Raise Unavailable for what may pass later, Rejected for what will not. ``retry_after`` is what a
        receiver asks for in words of its own, where it has no ``Retry-After``."""
        if 200 <= self.status < 300:
            return
        said = f"HTTP {self.status}" + (f": {self.text()}" if self.body else "")
        if self.status in _RETRYABLE or self.status >= 500:
            asked = self.retry_after()
            if asked is None and retry_after is not None:
                asked = min(max(retry_after, 0.0), MAX_RETRY_AFTER)
            raise Unavailable(said, asked)
        if 300 <= self.status < 400:
            said = f"HTTP {self.status}{self._onward()}, and redirects are not followed: give where they end"
        raise Rejected(said)

    def _onward(self) -> str:
        """The host a redirect leads to; what follows in its URL may be secret, as it was in ours."""
        try:
            host = urlsplit(self.headers.get("location", "")).hostname or ""
        except ValueError:
            return ""
        return f" leads to {host[:100]}" if host.isprintable() and host else ""

    def retry_after(self) -> float | None:
        """Seconds the receiver asked for, capped at an hour; None where it did not say."""
        said = self.headers.get("retry-after", "").strip()
        seconds = float(said) if said.isdecimal() else _seconds_until(said)
        return None if seconds is None else min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _seconds_until(date: str) -> float | None:
    """How far away an HTTP date is; None where it is none."""
    try:
        return (clock.given(parsedate_to_datetime(date)) or clock.now()).timestamp() - clock.now().timestamp()
    except (ValueError, OverflowError):
        return None


def authorization(*, token: str = "", username: str = "", password: str = "") -> dict[str, str]:
    """The header that proves who asks: a token, or a user and password; none where neither is given."""
    if token:
        return {"Authorization": f"Bearer {token}"}
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"} if username else {}


class _Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.reused = False
        self._answer: asyncio.Future[Response] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def send(self, request: bytes, timeout: float, most: int) -> asyncio.Future[Response]:
        """Write a request. The answer raises TimeoutError when it is not whole in time."""
        self._most = most
        self._parser = httptools.HttpResponseParser(self)
        self._response = Response()
        self._heard = 0
        self._ends_by_closing = False
        self._answer = self._loop.create_future()
        if self.transport is None:  # the receiver was gone before it was asked
            self._answer.set_exception(_Lost(False, None))
            return self._answer
        self._patience = self._loop.call_later(timeout, self._fail, TimeoutError())
        self.transport.write(request)
        return self._answer

    @property
    def usable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._heard += len(data)
        if self._answer is None or self._answer.done():
            self.close()  # an answer nobody asked for
            return
        if self._heard > self._most * 4:  # the body is cut earlier: this is headers without end
            self._fail(Unavailable("the answer's headers do not end"))
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(Unavailable(f"the answer is not HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._answer is None or self._answer.done():
            return
        if self._ends_by_closing and exc is None:
            self._finish(reusable=False)
        else:
            self._patience.cancel()
            self._answer.set_exception(_Lost(bool(self._heard), exc))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._patience.cancel()
            self._answer.set_exception(error)
        self.close()

    # httptools calls these by name.
    def on_message_begin(self) -> None:
        if self._answer is not None and self._answer.done():
            self.close()  # a second answer in the same breath

    def on_header(self, name: bytes, value: bytes) -> None:
        self._response.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        # HTTP/1.0 servers and simple scripts tell the end of the body by closing.
        self._ends_by_closing = not self._response.headers.keys() & {"content-length", "transfer-encoding"}

    def on_body(self, body: bytes) -> None:
        self._response.body += body
        if len(self._response.body) > self._most:
            self._response.body = self._response.body[: self._most]
            self._finish(reusable=False)

    def on_message_complete(self) -> None:
        self._finish(reusable=self._parser.should_keep_alive())

    def _finish(self, reusable: bool) -> None:
        response, self._response = self._response, Response()
        response.status = self._parser.get_status_code()
        if response.status < 200:
            return  # 100 Continue and its like announce the real answer
        if not reusable:
            self.close()
        if self._answer is not None and not self._answer.done():
            self._patience.cancel()
            self._answer.set_result(response)


class _Lost(Exception):
    """The connection ended before a whole answer."""

    def __init__(self, heard: bool, cause: Exception | None) -> None:
        super().__init__(f"connection lost: {cause}" if cause else "connection closed without an answer")
        self.heard = heard


@dataclass(frozen=True)
class _Target:
    host: str
    port: int
    tls: bool
    path: str
    authority: str

    @property
    def pool(self) -> tuple[str, int, bool]:
        return self.host, self.port, self.tls


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@lru_cache
def _target(url: str) -> _Target:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Rejected(f"not a URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Rejected("the URL must begin with http:// or https:// and name a host")
    if not url.isprintable():  # urlsplit drops line breaks without a word
        raise Rejected("the URL holds characters that cannot be printed")
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or any(c <= " " for c in path + parts.netloc):
        raise Rejected("the URL holds spaces or characters that are not percent-encoded")
    return _Target(parts.hostname, port or (443 if tls else 80), tls, path, parts.netloc.rpartition("@")[2])


class Client:
    """Sends requests over kept-alive connections. Belongs to one event loop."""

    def __init__(self, allow: Allowed | None = None) -> None:
        self._allow = allow if allow is not None else allowed()
        self._idle: dict[tuple[str, int, bool], deque[_Connection]] = defaultdict(deque)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout: float = 10.0
    ) -> Response:
        """POST a body; ``timeout`` seconds bound the whole exchange.

        Raises Unavailable (no connection, no answer in time), Forbidden (address not allowed) or
        Rejected (not a URL). Any HTTP status is an answer: see ``Response.require_success``.
        """
        return await self.request("POST", url, body, headers, timeout)

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        most: int = MAX_ANSWER,
    ) -> Response:
        """GET an answer, of which the first ``most`` bytes are kept; else as ``post``."""
        return await self.request("GET", url, b"", headers or {}, timeout, most)

    async def request(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout: float = 10.0,
        most: int = MAX_ANSWER,
    ) -> Response:
        """Send a request of any method; else as ``post`` and ``get``."""
        target = _target(url)
        request = _request(method, target, body, headers)
        until = asyncio.get_running_loop().time() + timeout
        try:
            return await self._exchange(target, request, until, most)
        except TimeoutError as error:
            raise Unavailable(f"{target.host}:{target.port} did not answer within {timeout:g} s") from error

    async def _exchange(self, target: _Target, request: bytes, until: float, most: int) -> Response:
        connection = self._kept(target) or await self._connect(target, until)
        try:
            response = await connection.send(request, until - asyncio.get_running_loop().time(), most)
        except _Lost as lost:
            if connection.reused and not lost.heard:  # the receiver closed it while it was idle
                return await self._exchange(target, request, until, most)
            raise Unavailable(f"{target.host}:{target.port}: {lost}") from lost
        except asyncio.CancelledError:
            connection.close()
            raise
        if connection.usable and len(self._idle[target.pool]) < IDLE_PER_HOST:
            self._idle[target.pool].append(connection)
        else:
            connection.close()
        return response

    def _kept(self, target: _Target) -> _Connection | None:
        idle = self._idle[target.pool]
        while idle:
            connection = idle.pop()
            if connection.usable:
                connection.reused = True
                return connection
        return None

    async def _connect(self, target: _Target, until: float) -> _Connection:
        async with asyncio.timeout_at(until):
            return await _connect(target, await resolve_all(target.host, target.port, self._allow))

    def close(self) -> None:
        """Drop all idle connections."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()


async def _connect(target: _Target, addresses: Iterable[str]) -> _Connection:
    """Connect to the first address that answers."""
    cause: Exception | None = None
    for address in addresses:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection,
                address,
                target.port,
                ssl=_tls() if target.tls else None,
                server_hostname=target.host if target.tls else None,
            )
        except (OSError, ssl.SSLError) as error:
            cause = cause or error
        else:
            return connection
    raise Unavailable(f"cannot connect to {target.host}:{target.port}: {cause}") from cause


def _request(method: str, target: _Target, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {target.path} HTTP/1.1", f"Host: {target.authority}", f"Content-Length: {len(body)}"]
    for name, value in headers.items():
        if any(mark in name + value for mark in "\r\n"):
            raise Rejected(f"header {name.split()[0]} holds a line break")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body
