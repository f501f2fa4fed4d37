"""A worker inside the caller's own process: for commands that wait for the result, and for tests."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from django.db import connection

from tocsin.checkers.services import CheckSet
from tocsin.core import clock as clocks
from tocsin.core.http import Client
from tocsin.db.work import Worker
from tocsin.notify import outbox
from tocsin.notify.lanes import Lanes
from tocsin.notify.models import Delivery
from tocsin.notify.outcome import Outcome
from tocsin.notify.sending import Parcel
from tocsin.orchestration import story
from tocsin.orchestration.errands import Errands
from tocsin.orchestration.nodes import Walk
from tocsin.orchestration.worker import Turn

PAUSE_SECONDS: Final = 0.1


Handle = Callable[[Turn, list[Outcome], list[Walk]], int]


def _whole(turn: Turn, outcomes: list[Outcome], back: list[Walk]) -> int:
    return turn.news(outcomes, back) + turn.sweep()


async def work(
    worker: Worker,
    checks: CheckSet,
    clock: Callable[[], datetime],
    seconds: float = float("inf"),
    handle: Handle = _whole,
) -> None:
    """Take turns until nothing is due and all is sent. After ``seconds`` nothing more is begun, and
    what was taken up and not begun is given back. ``handle`` is what a turn does."""
    until = time.monotonic() + seconds
    outcomes: list[Outcome] = []
    http = Client()
    back: list[Walk] = []
    lanes, errands = Lanes(http, outcomes.append), Errands(http, back.append)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="database") as database:
        on_database = asyncio.get_running_loop().run_in_executor
        handled, late = 1, False
        while (handled or outcomes or back) and not late:
            turn = Turn(worker, lanes, checks, clock())
            written, outcomes[:] = list(outcomes), []
            returned, back[:] = list(back), []
            left = lanes.left()
            handled = await on_database(database, handle, turn, written, returned)
            await on_database(database, outbox.release, left, clock())
            for channel_id, parcels in turn.parcels.items():
                lanes.put(channel_id, parcels)
            errands.begin(turn.errands)
            late = await _all_done(lanes, errands, until)
        errands.drop()
        unsent = lanes.drop()
        await _all_done(lanes, errands, float("inf"))  # what is under way ends by its own timeout
        await on_database(database, _end, outcomes, unsent, clock())
    http.close()


async def _all_done(lanes: Lanes, errands: Errands, until: float) -> bool:
    """Wait until all lanes rest and all errands are over; say whether it got too late for that."""
    while lanes.busy or errands.busy:
        if time.monotonic() > until:
            return True
        await asyncio.sleep(0.002)
    return False


def _end(outcomes: list[Outcome], unsent: list[Parcel], now: datetime) -> None:
    outbox.finish(outcomes, now)
    outbox.release(unsent, now)
    connection.close()


def carry(trace_id: str, checks: CheckSet, seconds: float) -> bool:
    """Work until all that came in under a trace is decided, its runs are done, or wait for a time or a
    person, and its messages were tried; say whether it came to that within ``seconds``.

    A worker beside this process may take the work first: then wait for it.
    """
    until, worker = time.monotonic() + seconds, Worker()
    while not _settled(trace_id):
        if time.monotonic() > until:
            return False
        asyncio.run(work(worker, checks, clocks.now, until - time.monotonic()))
        if not _settled(trace_id):
            time.sleep(PAUSE_SECONDS)
    return True


def _settled(trace_id: str) -> bool:
    told = story.tell(trace_id)
    return (
        all(entry.decision for entry in told.entries)
        and all(run.due_at is None or run.waiting for run in told.runs)
        and all(delivery.state != Delivery.PENDING for delivery in told.deliveries)
    )
