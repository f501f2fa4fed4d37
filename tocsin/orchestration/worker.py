"""The worker: every background step, in order, on one page.

An event loop sends; one thread of its own talks to the database. A turn writes what came of sending,
takes up what is due, and hands new deliveries to the channels' lanes. Between turns the worker sleeps
until the doorbell rings, at most ``SWEEP_SECONDS``. Any number of workers may run: rows are claimed.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db import DatabaseError, connections

from tocsin.alerts import services as alerts
from tocsin.alerts.correlate.step import correlate, pending
from tocsin.alerts.expiry import expire
from tocsin.checkers.services import CheckSet, record
from tocsin.core import clock, config, log
from tocsin.core.doorbell import Doorbell
from tocsin.core.http import Client
from tocsin.db import bulk
from tocsin.db.checkpoint import checkpoint
from tocsin.db.work import Worker
from tocsin.notify import outbox
from tocsin.notify.lanes import Lanes
from tocsin.notify.models import Delivery
from tocsin.notify.outcome import Outcome
from tocsin.notify.sending import Parcel
from tocsin.notify.sentlog import SentLog, of_the_dead
from tocsin.notify.services import LEASE
from tocsin.orchestration import engine
from tocsin.orchestration.models import PipelineRun
from tocsin.orchestration.nodes import Walk

logger = log.get(__name__)
T = TypeVar("T")

SWEEP_SECONDS: Final = 0.25
CHECK_SECONDS: Final = 5.0
CHECKPOINT_SECONDS: Final = 2.0
DRAIN_SECONDS: Final = 3.0
AFTER_ERROR_SECONDS: Final = 1.0
CONTENDED_SECONDS: Final = 0.0005
LONGEST_PAUSE: Final = 0.2
INTAKE_SHARE: Final = 3  # rests after a turn under contention, in lengths of that turn
ENTRIES_PER_TURN: Final = 200
RUNS_PER_TURN: Final = 200


class Turn:
    """One pass over what is due. All of it runs on the database thread; afterwards ``parcels`` holds
    what is to be sent, by channel."""

    def __init__(self, worker: Worker, lanes: Lanes, checks: CheckSet, now: datetime) -> None:
        self._worker = worker
        self._lanes = lanes
        self._checks = checks
        self._now = now
        self.parcels: dict[int, list[Parcel]] = {}

    def news(self, outcomes: list[Outcome]) -> int:
        """The steps of every turn: what was just sent, what just came in. Returns rows handled."""
        self._lanes.refresh()
        return outbox.finish(outcomes, self._now) + self._correlate()

    def sweep(self) -> int:
        """The steps that wait for their time rather than for a bell. Returns rows handled."""
        return (
            expire(self._now)
            + self._take_up_runs()
            + self._take_up_deliveries()
            + alerts.close_resolved(self._now)
            + self._keep_checks()
        )

    def _correlate(self) -> int:
        """Journal entries become incidents and runs; the runs are walked at once."""
        token = self._worker.token()
        entries = pending(ENTRIES_PER_TURN)
        if not entries:
            return 0
        with bulk.transaction():
            news = correlate(entries, self._now)
            walks = engine.start(news, self._now, token)
        self._advance(walks, token)
        return len(entries)

    def _take_up_runs(self) -> int:
        """Retries, resumed runs, and runs whose worker died."""
        token = self._worker.token()
        walks = engine.claim(token, self._now, RUNS_PER_TURN)
        self._advance(walks, token)
        return len(walks)

    def _advance(self, walks: list[Walk], token: str) -> None:
        until = time.monotonic() + LEASE.total_seconds()
        for item in engine.advance(walks, token, self._now, self._checks, self._room()):
            self._send(item.channel_id, Parcel(item.message.id, token, until, item.message))

    def _take_up_deliveries(self) -> int:
        """Retries, deliveries there was no room for, and those whose worker died."""
        taken = 0
        for channel_id, room in self._room().items():
            if room <= 0:
                continue
            token, until = self._worker.token(), time.monotonic() + LEASE.total_seconds()
            for due in outbox.claim(channel_id, room, token, self._now):
                self._send(channel_id, Parcel(due.delivery_id, token, until, due.message))
                taken += 1
        return taken

    def _room(self) -> dict[int, int]:
        return {
            channel_id: room - len(self.parcels.get(channel_id, ()))
            for channel_id, room in self._lanes.room().items()
        }

    def _send(self, channel_id: int, parcel: Parcel) -> None:
        self.parcels.setdefault(channel_id, []).append(parcel)

    def _keep_checks(self) -> int:
        """Check results that a run used are kept."""
        used, trace_id = self._checks.take_used()
        record(used, trace_id, self._now)
        return 0


class EmbeddedWorker:
    """One worker process: the loop around the turns."""

    def __init__(self) -> None:
        self._worker = Worker()
        self._checks = CheckSet()
        self._folder = config.data_dir() / "workers"
        self._database = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        self._outcomes: list[Outcome] = []
        self._sweep_at = float("-inf")
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; then let what is being sent end, and give back the rest."""
        loop = asyncio.get_running_loop()
        self._bell = Doorbell()
        self._http = Client()
        self._lanes = Lanes(self._http, self._done)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        await self._on_database(self._take_over)
        self._sent = SentLog(self._folder, self._worker.name)
        self._sent.lock()
        beside = [
            asyncio.create_task(self._every(CHECK_SECONDS, self._checks.run)),
            asyncio.create_task(self._every(CHECKPOINT_SECONDS, checkpoint)),
        ]
        logger.info("worker.started", worker=self._worker.name)
        while not self._stopping.is_set():
            if not await self._turn():
                await self._bell.wait(SWEEP_SECONDS)
        for task in beside:
            task.cancel()
        await self._drain()
        logger.info("worker.stopped", worker=self._worker.name)

    def stop(self) -> None:
        """End after the turn under way."""
        self._stopping.set()
        self._bell.ring_here()

    def _done(self, outcome: Outcome) -> None:
        self._sent.add(outcome)
        self._outcomes.append(outcome)
        self._bell.ring_here()

    async def _turn(self) -> int:
        outcomes, self._outcomes = self._outcomes, []
        began, waited = time.monotonic(), bulk.waited()
        turn = Turn(self._worker, self._lanes, self._checks, clock.now())
        try:
            handled = await self._on_database(lambda: turn.news(outcomes))
            if time.monotonic() >= self._sweep_at:
                handled += await self._on_database(turn.sweep)
                self._sweep_at = time.monotonic() + SWEEP_SECONDS
        except DatabaseError as error:
            logger.error("worker.database_failed", error=str(error))
            self._outcomes = (
                outcomes + self._outcomes
            )  # writing them twice changes nothing: they name the lease
            await self._on_database(connections.close_all)
            await asyncio.sleep(AFTER_ERROR_SECONDS)
            handled = 0
        else:
            self._sent.written(len(outcomes))
        for channel_id, parcels in turn.parcels.items():
            self._lanes.put(channel_id, parcels)
        if bulk.waited() - waited > CONTENDED_SECONDS:
            # Intake writes too, and goes first: what it has not stored yet can be lost, our work cannot.
            await asyncio.sleep(min(LONGEST_PAUSE, INTAKE_SHARE * (time.monotonic() - began)))
        return handled

    async def _on_database(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._database, call)

    async def _every(self, seconds: float, call: Callable[[], Any]) -> None:
        """Something that must not hold up the turns, in a thread of its own."""
        with ThreadPoolExecutor(max_workers=1) as thread:
            while True:
                try:
                    await asyncio.get_running_loop().run_in_executor(thread, call)
                except DatabaseError as error:
                    logger.warning("worker.beside_failed", error=str(error))
                await asyncio.sleep(seconds)

    def _take_over(self) -> None:
        """Write what workers of this machine sent before they died, and make due what they held."""
        for left in of_the_dead(self._folder):
            now = clock.now()
            sent = outbox.finish(left.outcomes(), now)
            runs = PipelineRun.objects.release(left.worker, now)
            deliveries = Delivery.objects.release(left.worker, now)
            left.remove()
            logger.warning("worker.took_over", dead=left.worker, sent=sent, runs=runs, deliveries=deliveries)

    async def _drain(self) -> None:
        dropped = self._lanes.drop()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._lanes.busy:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            logger.warning("worker.drain_timeout")  # those deliveries fall due again when their lease ends
        now, outcomes = clock.now(), self._outcomes
        await self._on_database(lambda: outbox.finish(outcomes, now))
        await self._on_database(lambda: outbox.release(dropped, now))
        self._sent.remove()
        await self._on_database(connections.close_all)
        self._http.close()
        self._bell.close()
        self._checks.close()
        self._database.shutdown()
