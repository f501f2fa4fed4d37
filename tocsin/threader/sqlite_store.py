"""A file of one instance's own, where there is no Redis. A second process on the same file is refused."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from tocsin.core.errors import Misconfigured, Unavailable
from tocsin.threader.store import (
    LEASE_SECONDS,
    LIMITED_SECONDS,
    MOST_BYTES,
    MOST_TAKEN,
    MOST_WAITING,
    BaseStore,
    Claim,
    Depth,
    full,
)

IDLE_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 3600.0
PATIENCE: Final = 1.0  # until the process before this one has ended
T = TypeVar("T")
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS webhook (
    id INTEGER PRIMARY KEY AUTOINCREMENT, of TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS webhook_of ON webhook (of, id);
CREATE TABLE IF NOT EXISTS thread (
    of TEXT PRIMARY KEY, due REAL, token INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL DEFAULT x'', until REAL
);
CREATE INDEX IF NOT EXISTS thread_due ON thread (due) WHERE due IS NOT NULL;
"""


class SqliteStore(BaseStore):
    """SQLite, asked by a thread of its own; a webhook is on disk when ``put`` returns. Each place has a file:
    threads of one channel are none of another."""

    name = "sqlite"

    def __init__(self, folder: Path, place: str) -> None:
        self._path = folder / f"threader-{place}.sqlite3"
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="threader-store")
        self._paused_until = self._limited_until = self._swept_at = 0.0
        self._waiting = self._size = 0

    async def open(self) -> None:
        await self._do(self._open)

    def _open(self) -> None:
        self._base = base = sqlite3.connect(self._path, PATIENCE, isolation_level=None)
        try:
            base.execute("PRAGMA locking_mode = EXCLUSIVE")
            base.execute("PRAGMA journal_mode = WAL")
            base.execute("PRAGMA synchronous = FULL")
            base.executescript(_TABLES)
            # Whoever held a lease has ended: there is one process.
            base.execute("UPDATE thread SET due = min(due, ?)", (time.time(),))
        except sqlite3.OperationalError as error:
            base.close()
            raise Misconfigured(
                f"{self._path}: {error}; does another instance use it? Several share threads by REDIS_URL"
            ) from error
        counted = base.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM webhook")
        self._waiting, self._size = counted.fetchone()

    async def put(self, group: str, webhook: bytes) -> None:
        if self._waiting >= MOST_WAITING or self._size >= MOST_BYTES:
            raise full()
        await self._do(self._put, group, webhook)

    def _put(self, group: str, webhook: bytes) -> None:
        with self._transaction() as base:
            base.execute("INSERT INTO webhook (of, body) VALUES (?, ?)", (group, webhook))
            base.execute(
                "INSERT INTO thread (of, due) VALUES (?, ?) "
                "ON CONFLICT (of) DO UPDATE SET due = excluded.due WHERE due IS NULL",
                (group, time.time()),
            )
        self._waiting += 1
        self._size += len(webhook)

    async def claim(self) -> Claim | float:
        if (rest := self._paused_until - time.time()) > 0:
            return rest
        return await self._do(self._claim)

    def _claim(self) -> Claim | float:
        now = time.time()
        self._sweep(now)
        found = self._base.execute(
            "SELECT of, due, token + 1, body, attempts FROM thread WHERE due IS NOT NULL ORDER BY due LIMIT 1"
        ).fetchone()
        if found is None or found[1] > now:
            return IDLE_SECONDS if found is None else float(found[1] - now)
        group, _, token, thread, attempts = found
        with self._transaction() as base:
            base.execute(
                "UPDATE thread SET due = ?, token = ? WHERE of = ?",
                (now + LEASE_SECONDS, token, group),
            )
        rows = self._base.execute(
            "SELECT body FROM webhook WHERE of = ? ORDER BY id LIMIT ?", (group, MOST_TAKEN)
        )
        return Claim(group, str(token), thread, [row[0] for row in rows], attempts, now < self._limited_until)

    async def extend(self, claim: Claim) -> bool:
        return await self._do(self._move, claim, LEASE_SECONDS, 0)

    async def retry(self, claim: Claim, seconds: float) -> None:
        await self._do(self._move, claim, seconds, 1)

    def _move(self, claim: Claim, seconds: float, tries: int) -> bool:
        with self._transaction() as base:
            moved = base.execute(
                "UPDATE thread SET due = ?, attempts = attempts + ? WHERE of = ? AND token = ?",
                (time.time() + seconds, tries, claim.group, int(claim.token)),
            )
        return moved.rowcount == 1

    async def finish(self, claim: Claim, done: int, thread: bytes, keep: timedelta) -> bool:
        return await self._do(self._finish, claim, done, thread, time.time() + keep.total_seconds())

    def _finish(self, claim: Claim, done: int, thread: bytes, until: float) -> bool:
        with self._transaction() as base:
            ended = base.execute(
                "UPDATE thread SET due = NULL, attempts = 0, body = iif(? = x'', body, ?), until = ? "
                "WHERE of = ? AND token = ?",
                (thread, thread, until, claim.group, int(claim.token)),
            )
            if not ended.rowcount:
                return False
            gone = base.execute(
                "DELETE FROM webhook WHERE id IN (SELECT id FROM webhook WHERE of = ? ORDER BY id LIMIT ?) "
                "RETURNING length(body)",
                (claim.group, done),
            ).fetchall()
            base.execute(
                "UPDATE thread SET due = ? WHERE of = ? AND EXISTS (SELECT 1 FROM webhook WHERE of = ?)",
                (time.time(), claim.group, claim.group),
            )
        self._waiting -= len(gone)
        self._size -= sum(row[0] for row in gone)
        return True

    async def pause(self, seconds: float) -> None:
        self._paused_until = time.time() + seconds
        self._limited_until = self._paused_until + LIMITED_SECONDS

    async def depth(self) -> Depth:
        return await self._do(self._depth)

    def _depth(self) -> Depth:
        counted = "SELECT (SELECT count(*) FROM webhook), (SELECT count(*) FROM thread WHERE due IS NOT NULL)"
        return Depth(*self._base.execute(counted).fetchone())

    async def close(self) -> None:
        await self._do(self._base.close)
        self._thread.shutdown()

    def _sweep(self, now: float) -> None:
        if now - self._swept_at > SWEEP_SECONDS:
            self._swept_at = now
            self._base.execute("DELETE FROM thread WHERE due IS NULL AND until < ?", (now,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield self._base
            self._base.execute("COMMIT")
        except BaseException:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise

    async def _do(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path}: {error}", 2) from error
