"""Receivers that misbehave, byte by byte; whatever they say, they say back what they were sent."""

import asyncio
import socket
import struct
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from tests.fakes.wire import Wire, wire

Talk = Callable[[Wire, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MEGABYTE: Final = 1 << 20
JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"


def answer(status: int, body: bytes = b"", *, kind: str = "text/plain", **headers: str) -> bytes:
    """A whole answer."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in {"Content-Type": kind, **given}.items()]
    head = [f"HTTP/1.1 {status} So", *lines, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def says(status: int, body: bytes | None = None, *, kind: str = "text/plain", **headers: str) -> Talk:
    """Answers always so; without a body, it says back what it was sent."""

    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await here.read(reader):
            writer.write(answer(status, asked if body is None else body, kind=kind, **headers))

    return talk


def after(good: Sequence[bytes], bad: Talk) -> Talk:
    """Answers the first requests well."""
    left = list(good)

    async def talk(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while left and await here.read(reader):
            writer.write(answer(200, left.pop(0), kind=JSON))
        await bad(here, reader, writer)

    return talk


async def silence(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes everything and says nothing."""
    while await reader.read(65_536):
        pass


async def reset(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hangs up hard, at once."""
    hang_up(writer)


async def reset_midway(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hangs up hard in the middle of its answer."""
    await here.read(reader)
    writer.write(answer(200, b'{"ok": true, "id": "7"}' * 9, kind=JSON)[:-30])
    await writer.drain()
    await asyncio.sleep(0.01)  # a reset overtakes what was written
    hang_up(writer)


def hang_up(writer: asyncio.StreamWriter) -> None:
    """Without a goodbye: what was not read is lost."""
    connected: socket.socket = writer.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def huge(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A page of ten megabytes."""
    await here.read(reader)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {HTML}\r\nContent-Length: {10 * MEGABYTE}\r\n\r\n<html>"
    writer.write(head.encode())
    for _ in range(160):
        writer.write(b"x" * 65_536)
        await writer.drain()


async def endless_headers(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Headers, and then headers."""
    await here.read(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X-More: " + b"x" * 8_000 + b"\r\n")
        await writer.drain()


async def drip(here: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte at a time, for ever."""
    await here.read(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await asyncio.sleep(0.01)


def bomb() -> bytes:
    """Sixty-four megabytes of blanks, in some sixty kilobytes."""
    press = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(press.compress(b" " * MEGABYTE) for _ in range(64)), press.flush()])


@contextmanager
def listening(talk: Talk) -> Iterator[Wire]:
    """A receiver in a thread of its own, for tests that are no coroutine."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = wire(talk)
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
