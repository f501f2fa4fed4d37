"""Who works in a folder holds it: two agents in one spool would take each other's rounds."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tocsin.core.errors import TocsinError

PAUSE: Final = 0.05


class Held(TocsinError):
    """Somebody else holds the folder; says who."""


@contextmanager
def hold(folder: Path, what: str, patience: float = 0) -> Iterator[None]:
    """Hold a folder, which is made where it is not there. Raises Held, OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(number, folder, time.monotonic() + patience)
        with suppress(OSError):  # on a full disk it is held without a name
            os.ftruncate(number, 0)
            os.pwrite(number, f"{what}, process {os.getpid()}".encode(), 0)
        yield
    finally:
        os.close(number)  # which lets go of it; so does the system, should this process be killed


def _lock(number: int, folder: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(number, 200, 0).decode("utf-8", "replace") or "another process"
                raise Held(
                    f"{folder} is held by {holder}: stop that, or set another TOCSIN_DATA_DIR"
                ) from None
        time.sleep(PAUSE)
