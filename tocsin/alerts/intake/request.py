"""Reading a request within bounds, and answering it."""

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, cast

import msgspec

from tocsin.core.ids import new_id

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_SECONDS: Final = 30.0
_DIGITS: Final = 18  # a length of more digits is too large, whatever they are
_CORRELATION_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=-]{1,64}")
_JSON: Final = (b"content-type", b"application/json")
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_encode = msgspec.json.Encoder().encode


class Refused(Exception):
    """An answer other than success: its status, a word for programs, a sentence for people."""

    def __init__(
        self, status: int, code: str, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers


async def read_body(receive: Receive, headers: dict[bytes, bytes], most: int) -> bytes:
    """The request's body as it was sent. Raises Refused when it is too large or too slow."""
    length = headers.get(b"content-length", b"")
    if length.isdigit() and (len(length) > _DIGITS or int(length) > most):
        raise _too_large(most)
    late = False

    def give_up() -> None:
        nonlocal late
        late = True
        task.cancel()

    # asyncio.timeout costs six times as much, and nearly every body is here already.
    task = cast("asyncio.Task[None]", asyncio.current_task())
    patience = asyncio.get_running_loop().call_later(BODY_SECONDS, give_up)
    try:
        return await _receive_all(receive, most)
    except asyncio.CancelledError:
        if not late:
            raise
        task.uncancel()
        raise Refused(408, "timeout", f"the body did not arrive within {BODY_SECONDS:g} s") from None
    finally:
        patience.cancel()


def inflated(body: bytes, headers: dict[bytes, bytes], most: int) -> bytes:
    """A body as it was before gzip. Raises Refused when it is too large, or no gzip after all."""
    encoding = headers.get(b"content-encoding", b"").strip().lower()
    if encoding in (b"", b"identity"):
        return body
    if encoding == b"gzip":
        return _inflate(body, most)
    raise Refused(
        415, "content_encoding", f"Content-Encoding {encoding.decode('latin-1')!r} is not read: use gzip"
    )


async def _receive_all(receive: Receive, most: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if len(body) > most:
        raise _too_large(most)
    if not message.get("more_body"):
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "disconnected", "the sender hung up before the body was whole")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise _too_large(most)
    return b"".join(parts)


def _inflate(body: bytes, most: int) -> bytes:
    stream = zlib.decompressobj(31)
    try:
        inflated = stream.decompress(body, most + 1)
    except zlib.error as error:
        raise Refused(400, "gzip", f"the body is not gzip: {error}") from error
    if len(inflated) > most:
        raise _too_large(most)
    if not stream.eof:
        raise Refused(400, "gzip", "the gzip body ends before its end")
    if stream.unused_data:
        raise Refused(400, "gzip", "something follows the end of the gzip body")
    return inflated


def _too_large(most: int) -> Refused:
    return Refused(
        413,
        "too_large",
        f"the body is larger than {most} bytes (TOCSIN_INTAKE_MAX_BYTES); send fewer alerts a post",
    )


def trace_id(headers: dict[bytes, bytes]) -> str:
    """The caller's X-Correlation-Id where it is usable, else a new id."""
    given = headers.get(b"x-correlation-id")
    if given and _CORRELATION_ID.fullmatch(given):
        return given.decode()
    return new_id()


async def answer(
    send: Send,
    status: int,
    content: object | None,
    trace: str = "",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """Send ``content`` as JSON, bytes as plain text, or an empty body where it is None."""
    plain = isinstance(content, bytes)
    body = b"" if content is None else content if isinstance(content, bytes) else _encode(content)
    lines = [(b"content-length", b"%d" % len(body)), *headers]
    if content is not None:
        lines.append(_TEXT if plain else _JSON)
    if trace:
        lines.append((b"x-correlation-id", trace.encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, refused: Refused, trace: str = "") -> None:
    """Send an error in the shape that all ways in share."""
    content = {"status": "error", "code": refused.code, "message": str(refused), "trace_id": trace}
    await answer(send, refused.status, content, trace, refused.headers)
