"""A named pipe that wakes a worker at once. It carries no work: what is due stands in the database."""

import asyncio
import errno
import os
from functools import cache
from pathlib import Path

from tocsin.core import config


@cache
def _path() -> Path:
    return config.data_dir() / "worker.bell"


def ring() -> None:
    """Wake one worker on this machine, if any listens. Never blocks, never fails the caller."""
    try:
        pipe = os.open(_path(), os.O_WRONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody listens; the sweep finds the work
            return
        raise
    try:
        os.write(pipe, b"!")
    except BlockingIOError:
        pass  # the pipe is full of rings: it will be heard
    finally:
        os.close(pipe)


class Doorbell:
    """The listening end, for one event loop."""

    def __init__(self) -> None:
        path = _path()
        if not path.is_fifo():
            path.unlink(missing_ok=True)
            os.mkfifo(path, 0o600)
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._rung = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pipe, self._heard)

    def _heard(self) -> None:
        try:
            os.read(self._pipe, 65536)
        except BlockingIOError:
            return  # another worker took it
        self._rung.set()

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
        asyncio.get_running_loop().remove_reader(self._pipe)
        os.close(self._pipe)
