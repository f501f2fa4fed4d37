"""What came by a way in and is no alert goes to those who keep it, on disk before its sender is answered.

It is rare beside alerts, so it takes no part in their commits: a thread of its own writes it.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from django.db import DatabaseError, DataError, IntegrityError, connection, connections, transaction

from tocsin.alerts.events import Beside
from tocsin.core import log
from tocsin.core.errors import Rejected, Unavailable

logger = log.get(__name__)

MOST_WAITING: Final = 10_000


class Told(msgspec.Struct, frozen=True):
    """By whom, and when, something was told. ``sender`` is the name of the source whose token came with
    it, if any; ``trusted`` says that a key did, or that the ways in are open. ``address`` is where it came
    from, which may be a proxy's."""

    system: str
    sender: str
    trace_id: str
    received_at: datetime
    trusted: bool
    address: str = ""


Sink = Callable[[Sequence[Any], Told], bool | None]
"""Keeps what it is given, in a transaction of its own; says whether that made something which was not
there. Raises Rejected (Unknown: nothing has that name)."""


class _Waiting(NamedTuple):
    items: Sequence[Beside]
    told: Told
    done: "asyncio.Future[bool]"


class BesideAlerts:
    """Hands each kind to its sink; what waits while one transaction runs shares the next one.
    ``on_change`` is called after each."""

    def __init__(self, sinks: Mapping[type, Sink], on_change: Callable[[], None]) -> None:
        self._sinks = sinks
        self._on_change = on_change
        self._waiting: list[_Waiting] = []
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="beside")

    async def keep(self, items: Sequence[Beside], told: Told) -> bool:
        """Return when all of it is on disk: whether it made something. Raises Rejected and Unavailable."""
        if len(self._waiting) >= MOST_WAITING:
            raise Unavailable(f"{MOST_WAITING} posts wait for the disk; try again shortly", 1)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(items, told, loop.create_future())
        with self._lock:
            self._waiting.append(waiting)
            first = len(self._waiting) == 1
        if first:  # else the thread is on its way to them
            loop.run_in_executor(self._thread, self._keep_all, loop)
        return await waiting.done

    def close(self) -> None:
        """Keep what is under way, then end; once is enough."""
        with suppress(RuntimeError):  # it has ended
            self._thread.submit(connections.close_all)  # those of the thread that closes them
        self._thread.shutdown()

    def _keep_all(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            taken, self._waiting = self._waiting, []
        try:
            with transaction.atomic():
                outcomes = [self._outcome(one) for one in taken]
        except DatabaseError as error:
            connection.close()  # it may be the connection that broke: the next makes another
            logger.error("intake.beside_failed", error=str(error), trace_id=taken[0].told.trace_id)
            refusal = Unavailable("the database cannot be written; try again shortly", 2)
            outcomes = [refusal] * len(taken)
        self._on_change()
        loop.call_soon_threadsafe(_answer, taken, outcomes)

    def _outcome(self, one: _Waiting) -> bool | Exception:
        """Whether keeping it made something, or why it cannot be kept; that costs the others nothing."""
        try:
            with transaction.atomic():
                return self._keep(one.items, one.told)
        except (DataError, IntegrityError, UnicodeError) as error:
            return Rejected(f"the database cannot hold this: {error}")
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - told to the one who posted it; the others' is kept
            return error

    def _keep(self, items: Sequence[Beside], told: Told) -> bool:
        by_kind: dict[type, list[Beside]] = {}
        for item in items:
            by_kind.setdefault(type(item), []).append(item)
        return any([self._sinks[kind](chosen, told) for kind, chosen in by_kind.items()])


def _answer(taken: Sequence[_Waiting], outcomes: Sequence[bool | Exception]) -> None:
    for one, outcome in zip(taken, outcomes, strict=True):
        if one.done.done():
            continue  # the sender hung up
        if isinstance(outcome, Exception):
            one.done.set_exception(outcome)
        else:
            one.done.set_result(outcome)
