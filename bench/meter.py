"""What a piece of work takes: processor time here and in the database, statements, rows, log, waiting.

Processor time is counted by the kernel for each process, and does not grow by what others do meanwhile.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any, Protocol

import psutil
import psycopg
from django.db import connection

from tests.statements import counted


class Database(Protocol):
    """The database beside the process that uses it."""

    def seconds(self) -> float:
        """Processor time that its own processes took."""

    def log_bytes(self) -> int:
        """How much it has written to its write-ahead log."""

    def fold(self) -> None:
        """Fold the log back, as happens in the background."""

    def sizes(self) -> dict[str, int]:
        """Bytes of each table with its indexes."""


class Sqlite:
    """A library: what it takes is this process' own."""

    def __init__(self) -> None:
        self._log = Path(f"{connection.settings_dict['NAME']}-wal")

    def seconds(self) -> float:
        return 0.0

    def log_bytes(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def fold(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_autocheckpoint=0")  # so that its length says what was written
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def sizes(self) -> dict[str, int]:
        joined = "dbstat s JOIN sqlite_master m ON m.name = s.name"
        return _pairs(f"SELECT m.tbl_name, SUM(s.pgsize) FROM {joined} GROUP BY 1")


class Postgres:
    """A server on this machine: all its processes. The one that serves the meter does next to nothing."""

    def __init__(self, url: str) -> None:
        self._server = psycopg.connect(url.replace("postgres://", "postgresql://"), autocommit=True)
        postmaster = psutil.Process(self._server.info.backend_pid).parent()
        assert postmaster is not None
        self._postmaster = postmaster.pid
        self._children = Path(f"/proc/{postmaster.pid}/task/{postmaster.pid}/children")
        self._known: dict[str, float] = {}
        self._total = 0.0

    def seconds(self) -> float:
        known = {pid: _on_cpu(pid) for pid in (str(self._postmaster), *self._children.read_text().split())}
        self._total += sum(max(0.0, spent - self._known.get(pid, 0.0)) for pid, spent in known.items())
        self._known = known
        return self._total

    def log_bytes(self) -> int:
        row = self._server.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
        assert row is not None
        return int(row[0])

    def fold(self) -> None:
        """The server does it by itself."""

    def close(self) -> None:
        """Let go of the meter's connection."""
        self._server.close()

    def sizes(self) -> dict[str, int]:
        return _pairs("SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r'")


def _pairs(sql: str) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return dict(cursor.fetchall())


def _on_cpu(pid: str) -> float:
    """Seconds a process of one thread was on a processor, to the nanosecond; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0


def database(url: str) -> Database:
    """The one that a ``DATABASE_URL`` names."""
    return Postgres(url) if url.startswith("postgres") else Sqlite()


@dataclass
class Rounds:
    """What each round of a part took: seconds here, there, and of waiting; and bytes of log."""

    here: list[float] = field(default_factory=list)
    there: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    log: list[int] = field(default_factory=list)
    statements: int = 0
    rows: int = 0

    def summary(self, size: int) -> dict[str, float]:
        """Of one round of so many: microseconds and bytes of each, the rest of all together."""
        return {
            "cpu_us": round(mean(self.here) / size * 1e6, 2),
            "db_us": round(mean(self.there) / size * 1e6, 2),
            "wait_ms": round(median(self.waited) * 1e3, 3),
            "log_bytes": round(mean(self.log) / size),
            "statements": self.statements,
            "rows": round(self.rows / size, 2),
        }


class Meter:
    """Measures parts by name and by how many went through together."""

    def __init__(self, watched: Database) -> None:
        self.watched = watched
        self.found: dict[str, dict[int, Rounds]] = {}
        self.counting = False  # statements and rows instead of time: to count them takes time
        self.warming = False

    @contextmanager
    def part(self, name: str, size: int) -> Iterator[None]:
        """Measure what happens inside."""
        rounds = self.found.setdefault(name, {}).setdefault(size, Rounds())
        with ExitStack() as stack:
            statements = stack.enter_context(counted()) if self.counting else []
            rows = _rows_changed()
            beside = self.watched.log_bytes(), self.watched.seconds()
            before = time.perf_counter(), time.process_time()
            yield
            after = time.perf_counter(), time.process_time()
            there = self.watched.seconds() - beside[1]
        if self.counting:
            rounds.statements = sum(map(_times, statements))
            rounds.rows = _rows_changed() - rows
        elif not self.warming:
            wall, here = (then - now for now, then in zip(before, after, strict=True))
            rounds.here.append(here)
            rounds.there.append(there)
            rounds.waited.append(max(0.0, wall - here - there))
            rounds.log.append(self.watched.log_bytes() - beside[0])

    def summary(self) -> dict[str, dict[str, dict[str, float]]]:
        """All parts: by name and size."""
        return {
            name: {str(size): rounds.summary(size) for size, rounds in sizes.items() if rounds.here}
            for name, sizes in self.found.items()
        }


def _times(statement: str) -> int:
    """How often a statement that was noted ran: Django notes many of a kind as one."""
    many, colon, _ = statement.partition(" times: ")
    return int(many) if colon and many.isdigit() else 1


def _rows_changed() -> int:
    """Rows that SQLite changed; PostgreSQL changes the same ones."""
    changed: Any = getattr(connection.connection, "total_changes", 0)
    return int(changed)


def threads(pid: int) -> tuple[float, float]:
    """Processor seconds of a process: its first thread's, and all others'."""
    each = {thread.id: thread.user_time + thread.system_time for thread in psutil.Process(pid).threads()}
    first = each.pop(pid)
    return first, sum(each.values())


def machine() -> str:
    """This machine in a few words."""
    info = Path("/proc/cpuinfo")
    models = [line.split(":")[1] for line in info.read_text().splitlines() if line.startswith("model name")]
    model = models[0].strip() if models else os.uname().machine
    return f"{os.cpu_count()} cores, {model}, {psutil.virtual_memory().total / 2**30:.0f} GiB"
