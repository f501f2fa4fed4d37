"""Who uses the data directory: each process that runs holds a lock with the others, and who is about to
replace what they use needs it alone."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tocsin.core import config
from tocsin.core.errors import Unavailable

_NAME: Final = "running.lock"


def share() -> int:
    """Hold the lock for as long as this process lives. Raises Unavailable while somebody has it alone."""
    return _locked(fcntl.LOCK_SH, f"a backup is being restored in {config.data_dir()}: start again after it")


@contextmanager
def alone() -> Iterator[None]:
    """Have the data directory to oneself. Raises Unavailable where Tocsin runs on it."""
    lock = _locked(fcntl.LOCK_EX, f"Tocsin runs on {config.data_dir()}: stop it first")
    try:
        yield
    finally:
        os.close(lock)


def _locked(how: int, otherwise: str) -> int:
    lock = os.open(config.data_dir() / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Unavailable(otherwise) from None
    return lock
