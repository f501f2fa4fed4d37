"""What was sent and is not yet in the database, kept where kill -9 does not reach.

Outcomes are written to the database many at a time. Until then each stands in a small file: it
survives the process, not the machine, and needs no fsync for that. Each worker holds a lock on a file of its
own for as long as it lives; a file that can be locked belonged to a worker that died.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tocsin.notify.outcome import Outcome

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Outcome)


class SentLog:
    """The log of one worker, named after it."""

    def __init__(self, folder: Path, worker: str) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.worker = worker
        self._path = folder / f"{worker}.sent"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._unwritten = 0

    def lock(self) -> bool:
        """Hold it; False where its worker lives."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

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

    def leave(self) -> None:
        """Let go of it, for its own worker has it."""
        os.close(self._file)


def of_the_dead(folder: Path) -> Iterator[SentLog]:
    """The logs of workers on this machine that died, locked; remove each when it is dealt with."""
    for path in sorted(folder.glob("*.sent")):
        log = SentLog(folder, path.stem)
        if log.lock():
            yield log
        else:
            log.leave()
