"""What was sent and is not yet in the database, kept where kill -9 does not reach.

Outcomes are written to the database many at a time. Until then each stands in a small file: it
survives the process, not the machine, and needs no fsync for that. Each worker holds a lock on a file of its
own for as long as it lives; a file that can be locked belonged to a worker that died.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import msgspec

from tocsin.notify.outcome import Outcome

_SUFFIX: Final = ".sent"
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Outcome)


class SentLog:
    """The log of one worker, named after it."""

    def __init__(self, path: Path, file: int) -> None:
        self.worker = path.stem
        self._path, self._file = path, file
        self._unwritten = 0

    @classmethod
    def begin(cls, folder: Path, worker: str) -> Self:
        """This worker's own, held for as long as it lives."""
        folder.mkdir(mode=0o700, exist_ok=True)
        new = folder / f"{worker}.new"
        file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        new.rename(new.with_suffix(_SUFFIX))  # held before others see it, who would take it for a dead one's
        return cls(new.with_suffix(_SUFFIX), file)

    @classmethod
    def of_the_dead(cls, path: Path) -> Self | None:
        """That of a worker which died, held; None where it lives, or others have dealt with it."""
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        if not os.fstat(file).st_nlink:
            os.close(file)
            return None
        return cls(path, file)

    def add(self, outcome: Outcome) -> None:
        """Keep what came of a try."""
        os.write(self._file, _encode(outcome) + b"\n")
        self._unwritten += 1

    def written(self, count: int) -> None:
        """So many of the oldest are in the database now; when all are, start over."""
        self._unwritten -= count
        if not self._unwritten:
            os.ftruncate(self._file, 0)

    def outcomes(self) -> list[Outcome]:
        """What it holds; a line cut short by the worker's death is left out."""
        lines = os.pread(self._file, os.fstat(self._file).st_size, 0).split(b"\n")
        return [_decoder.decode(line) for line in lines[:-1]]

    def remove(self) -> None:
        """Its worker has ended, and all it held is in the database."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def of_the_dead(folder: Path) -> Iterator[SentLog]:
    """The logs of workers on this machine that died, held; remove each when it is dealt with."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        if log := SentLog.of_the_dead(path):
            yield log
