"""Our own log as files: JSON, one line each, in ``log/`` of the data directory, so that it can be read
and searched where there is no journal.

Every process appends whole lines by single writes, which the system does not mix. A thread writes: who logs
never waits for the disk, and a disk that is full costs log lines and nothing else.
"""

import fcntl
import logging
import os
import threading
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from tocsin.core import config

FILES: Final = 4  # the current one and those before it
LONGEST_LINE: Final = 64 * 1024
MOST_WAITING: Final = 10_000
AT_ONCE: Final = 256 * 1024
PAUSE_SECONDS: Final = 5.0
END_SECONDS: Final = 2.0
_NEW: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def folder() -> Path:
    """Where the files are."""
    return config.data_dir() / "log"


def files() -> list[Path]:
    """Those that may be there, the newest first."""
    return [_numbered(number) for number in range(FILES)]


def _numbered(number: int) -> Path:
    return folder() / (f"tocsin.{number}.jsonl" if number else "tocsin.jsonl")


class Appender:
    """Appends to the current file, and begins another where that is full. For one thread."""

    def __init__(self, most_bytes: int) -> None:
        self._most = max(1, most_bytes // FILES)
        self._file: int | None = None
        self._torn = False

    def append(self, text: bytes) -> None:
        """Write whole lines. Raises OSError."""
        if self._torn:
            os.write(self._current(), b"\n")
            self._torn = False
        if os.write(self._current(), text) < len(text):
            self._torn = True  # the disk has become full in the middle of a line, and has no room to end it
            raise OSError("a line was not written whole")

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _current(self) -> int:
        if self._file is not None:
            found = os.fstat(self._file)
            if found.st_nlink and found.st_size < self._most:
                return self._file
            if found.st_nlink:
                self._rotate(found.st_ino)
            self.close()
        folder().mkdir(mode=0o700, exist_ok=True)
        self._file = os.open(_numbered(0), _NEW, 0o600)
        return self._file

    def _rotate(self, ours: int) -> None:
        """Move the files on by one. Another process may be about it, or have done it."""
        lock = os.open(folder() / ".rotation", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _numbered(0).stat().st_ino == ours:
                for number in reversed(range(FILES - 1)):
                    if _numbered(number).exists():
                        os.replace(_numbered(number), _numbered(number + 1))
        except FileNotFoundError:
            pass  # somebody tidied up
        finally:
            os.close(lock)


class LogFile(logging.Handler):
    """Hands lines to the thread that writes them; drops them where too many wait."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._appender = Appender(most_bytes)
        self._lines: deque[bytes] = deque()
        self._wake = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._ending = False
        self.lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Put a line in line. Never waits for the disk."""
        try:
            line = self.format(record).encode("utf-8", "replace")[: LONGEST_LINE - 1] + b"\n"
        except Exception:  # noqa: BLE001 - what logging asks of its handlers: a bad line fails nobody
            self.handleError(record)
            return
        with self._wake:
            if self._ending or len(self._lines) >= MOST_WAITING:
                self.lost += 1
                return
            self._lines.append(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="log file", daemon=True)
                self._thread.start()
            self._wake.notify()

    def close(self) -> None:
        """Write what waits, for a moment at most."""
        with self._wake:
            self._ending = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join(END_SECONDS)
        super().close()

    def _write(self) -> None:
        while lines := self._next():
            try:
                self._appender.append(lines)
                if self.lost:
                    self._appender.append(self._tell_of_the_lost())
            except OSError:
                self._give_up(lines.count(b"\n"))
        self._appender.close()

    def _tell_of_the_lost(self) -> bytes:
        with self._wake:
            lost, self.lost = self.lost, 0
        told = {"event": "log.lines_lost", "level": "warning", "logger": __name__, "lines": lost}
        return msgspec.json.encode(told | {"timestamp": datetime.now(UTC)}) + b"\n"

    def _next(self) -> bytes:
        """The lines that wait, once there are some; nothing at the end."""
        with self._wake:
            while not self._lines and not self._ending:
                self._wake.wait()
            taken: list[bytes] = []
            size = 0
            while self._lines and (not taken or size + len(self._lines[0]) <= AT_ONCE):
                taken.append(self._lines.popleft())
                size += len(taken[-1])
        return b"".join(taken)

    def _give_up(self, lines: int) -> None:
        """The disk is full, or the folder is not ours: these are lost; the next are tried after a while."""
        self._appender.close()
        with self._wake:
            self.lost += lines
            if not self._ending:
                self._wake.wait_for(lambda: self._ending, PAUSE_SECONDS)
