"""Commits that are made durable together, beside the thread that makes them.

With ``synchronous=FULL`` SQLite waits for the disk within every commit, while it holds the write
lock. A relaxed connection writes its commits to the write-ahead log and leaves the waiting to a
thread that syncs the log: one sync serves all commits before it, and the next transaction runs
meanwhile. Nothing may be acknowledged before its sync. https://www.sqlite.org/pragma.html#pragma_synchronous
"""

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

from tocsin.db import bulk

T = TypeVar("T")


def relax() -> None:
    """Let this thread's connection commit without waiting for the disk. To be called again whenever
    it may have been closed; costs next to nothing where it was not."""
    connection = connections[DEFAULT_DB_ALIAS]
    if not bulk.is_sqlite() or getattr(connection, "_tocsin_relaxed", None) is (connection.connection or 0):
        return
    connection.ensure_connection()
    with connection.wrap_database_errors:
        # Without a write-ahead log (on some file systems there is none) commits go on to sync themselves.
        if connection.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            connection.connection.execute("PRAGMA synchronous=NORMAL")
    connection._tocsin_relaxed = connection.connection  # type: ignore[attr-defined]


class WalSync(Generic[T]):
    """A thread that calls ``done`` with what was put in, in order, once all that was committed before
    is on disk; or with the error that kept it from there."""

    def __init__(self, done: Callable[[list[T], OSError | None], None]) -> None:
        self._done = done
        self._path = f"{connections[DEFAULT_DB_ALIAS].settings_dict['NAME']}-wal"
        self._file: int | None = None
        self._waiting: list[T] = []
        self._busy = False
        self._doubtful = False  # the last sync failed: what was committed may not be on disk
        self._stopping = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="walsync")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Sync what waits, then end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def put(self, item: T) -> None:
        """Hand over what a commit just made stored."""
        with self._wake:
            self._waiting.append(item)
            self._wake.notify()

    @property
    def idle(self) -> bool:
        """Whether all that was put in is on disk."""
        with self._wake:
            return not self._waiting and not self._busy and not self._doubtful

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._stopping:
                    self._wake.wait()
                items, self._waiting = self._waiting, []
                self._busy = bool(items)
            if not items:
                self._close()
                return
            error = self._sync()
            with self._wake:
                self._busy, self._doubtful = False, error is not None
            self._done(items, error)

    def _sync(self) -> OSError | None:
        try:
            os.fdatasync(self._log())
        except FileNotFoundError:
            return None  # no write-ahead log: commits were synced as they were made
        except OSError as error:
            return error
        return None

    def _log(self) -> int:
        """The log's file; opened anew where it was removed, as the last connection to close does."""
        if self._file is not None and not os.fstat(self._file).st_nlink:
            self._close()
        if self._file is None:
            self._file = os.open(self._path, os.O_RDONLY)
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
