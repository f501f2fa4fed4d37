"""Wakes workers at once: by a named pipe on this machine, by Redis (``farbell.py``) on the others.

It carries no work: what is due stands in the database.
"""

import asyncio
import os
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from tocsin.core import config
from tocsin.core.farbell import Listener, Ringer


@cache
def _path() -> Path:
    return config.data_dir() / "worker.bell"


@cache
def _afar() -> Ringer | None:
    url = config.text("REDIS_URL")
    return Ringer(url) if url else None


def ring() -> None:
    """Wake one worker on this machine, if any listens, and those on others. Never blocks, never fails
    the caller: what nobody hears the workers' sweep finds."""
    if afar := _afar():
        afar.ring()
    with suppress(OSError):  # nobody listens, or the pipe is full of rings and will be heard
        pipe = os.open(_path(), os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, b"!")
        finally:
            os.close(pipe)


class Doorbell:
    """The listening end, for one event loop. ``heard_at`` is when somebody else last rang (monotonic)."""

    heard_at = float("-inf")

    def __init__(self) -> None:
        path = _path()
        if not path.is_fifo():
            path.unlink(missing_ok=True)
            os.mkfifo(path, 0o600)
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._rung = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pipe, self._heard)
        url = config.text("REDIS_URL")
        self._afar = Listener(url, self._heard_afar) if url else None

    def _heard(self) -> None:
        try:
            os.read(self._pipe, 65536)
        except BlockingIOError:
            return  # another worker took it
        self.heard_at = time.monotonic()
        self._rung.set()

    def _heard_afar(self) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._rung.set)

    def ring_here(self) -> None:
        """Wake this very loop."""
        self._rung.set()

    async def wait(self, timeout: float) -> bool:
        """Wait for a ring, at most ``timeout`` seconds; say whether one came."""
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True

    def close(self) -> None:
        """Stop listening."""
        if self._afar:
            self._afar.close()
        self._loop.remove_reader(self._pipe)
        os.close(self._pipe)
