"""Group commit: posts that wait while one transaction runs share the next one.

A thread of its own writes; each poster is answered once the commit that holds its alerts is on
disk. What may wait is bounded; beyond that a post is refused at once, and its sender told to come back.
"""

import asyncio
import threading
import time
from collections.abc import Callable

from django.db import DatabaseError, DataError, IntegrityError, connection

from tocsin.alerts.intake import metrics
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.core import log
from tocsin.core.errors import Rejected, Unavailable
from tocsin.db import bulk
from tocsin.db.walsync import WalSync, relax

logger = log.get(__name__)

ALERTS_PER_COMMIT = 2_000
FLUSH_SECONDS = 1.0
FLUSH_LATEST = 10.0  # when there is no rest: then some after each commit, until all is written
FLUSH_AT_ONCE = 2_000
TRIES = 3
_POISON = (DataError, IntegrityError, UnicodeError)
Waiting = tuple[Post, "asyncio.Future[None]"]
Written = tuple[list[Waiting], bool]  # the posts of a commit, and whether it left work for correlation


class Committer:
    """Takes posts from an event loop and commits them in groups. ``on_change`` is called after
    each commit that left work for correlation."""

    def __init__(self, limit: int, on_change: Callable[[], None]) -> None:
        self._limit = limit
        self._on_change = on_change
        self._arriving: list[Waiting] = []  # the loop's
        self._waiting: list[Waiting] = []  # the thread's, under the lock
        self._alerts_waiting = 0
        self._stopping = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="committer")
        self._sync: WalSync[Written] | None = WalSync(self._synced) if bulk.is_sqlite() else None

    def start(self) -> None:
        """Begin to write; call it on the event loop that will submit."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        if self._sync:
            self._sync.start()

    def stop(self) -> None:
        """Write what waits, then end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()
        if self._sync:
            self._sync.stop()

    @property
    def depth(self) -> int:
        """Alerts that wait for the disk."""
        return self._alerts_waiting

    async def submit(self, post: Post) -> None:
        """Return once the post is durable.

        Raises Unavailable when too much waits already or the database cannot be written, Rejected
        when the database refuses the content.
        """
        if self._alerts_waiting + len(post.events) > self._limit and self._alerts_waiting:
            raise Unavailable(f"{self._alerts_waiting} alerts wait for the disk; try again shortly", 1)
        done: asyncio.Future[None] = self._loop.create_future()
        if not self._arriving:  # requests read in the same turn of the loop go over together
            self._loop.call_soon(self._hand_over)
        self._arriving.append((post, done))
        self._alerts_waiting += len(post.events)
        await done

    def _hand_over(self, seen: int = 0) -> None:
        """Give what arrived to the thread, once a turn of the loop brings nothing new."""
        if len(self._arriving) > seen:
            self._loop.call_soon(self._hand_over, len(self._arriving))
            return
        with self._wake:
            self._waiting += self._arriving
            self._wake.notify()
        self._arriving = []

    def _run(self) -> None:
        journal, rested = Journal(), time.monotonic()
        while True:
            with self._wake:
                if not self._waiting and not self._stopping:
                    self._wake.wait(FLUSH_SECONDS if journal.has_touches else None)
                group = self._take()
                stopping = self._stopping and not group
            if group:
                self._commit(journal, group)
            elif journal.has_touches:
                _flush(journal)
            if not journal.has_touches:
                rested = time.monotonic()
            elif time.monotonic() - rested > FLUSH_LATEST:
                _flush(journal, FLUSH_AT_ONCE)
            if stopping:
                connection.close()
                return

    def _take(self) -> list[Waiting]:
        """The posts of the next transaction, in the order they came."""
        size = count = 0
        for post, _ in self._waiting:
            if count and size + len(post.events) > ALERTS_PER_COMMIT:
                break
            size += len(post.events)
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _commit(self, journal: Journal, group: list[Waiting]) -> None:
        began = time.perf_counter()
        try:
            changes = _commit_with_retries(journal, [post for post, _ in group])
        except _POISON as error:
            if len(group) > 1:  # one post must not cost the others: each alone
                for one in group:
                    self._commit(journal, [one])
                return
            self._refuse(group, error, Rejected(f"the database cannot hold this: {error}"))
            return
        except DatabaseError as error:
            self._refuse(group, error, Unavailable("the database cannot be written; try again shortly", 2))
            return
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - began)
        if self._sync and (changes or not self._sync.idle):  # what a repeat repeats may not be on disk yet
            self._sync.put((group, bool(changes)))
        else:
            self._synced([(group, bool(changes))], None)

    def _synced(self, commits: list[Written], error: OSError | None) -> None:
        posts = [waiting for group, _ in commits for waiting in group]
        if error is not None:
            self._refuse(posts, error, Unavailable("the disk cannot be written; try again shortly", 2))
            return
        if any(changed for _, changed in commits):
            self._on_change()
        self._answer(posts, None)

    def _refuse(self, group: list[Waiting], cause: Exception, told: Exception) -> None:
        logger.error(
            "intake.commit_failed", error=str(cause), trace_id=group[0][0].trace_id, posts=len(group)
        )
        self._answer(group, told)

    def _answer(self, group: list[Waiting], error: Exception | None) -> None:
        self._loop.call_soon_threadsafe(self._resolve, group, error)

    def _resolve(self, group: list[Waiting], error: Exception | None) -> None:
        for post, done in group:
            self._alerts_waiting -= len(post.events)
            if done.done():
                continue  # the sender hung up
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)


def _commit_with_retries(journal: Journal, posts: list[Post]) -> int:
    for attempt in range(TRIES):
        try:
            relax()
            return journal.commit(posts)
        except DatabaseError:
            # Deadlocks, two writers of one new fingerprint, a restarted server: read again, write again.
            connection.close()
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _flush(journal: Journal, most: int | None = None) -> None:
    try:
        journal.flush(most)
    except DatabaseError as error:
        connection.close()
        logger.warning("intake.flush_failed", error=str(error))
