"""The worker: every background step, in order, on one page.

An event loop sends; one thread of its own talks to the database. A turn writes what came of sending,
takes up what is due, and hands new deliveries to the channels' lanes. Between turns the worker sleeps
until the doorbell rings, at most ``SWEEP_SECONDS``. Any number of workers may run: rows are claimed.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db import DatabaseError, connections

from tocsin.alerts import services as alerts
from tocsin.alerts.correlate.step import correlate, pending
from tocsin.alerts.expiry import expire
from tocsin.alerts.unsilence import unsilence
from tocsin.checkers.models import Monitor
from tocsin.checkers.rounds import Rounds
from tocsin.checkers.services import CheckSet, record
from tocsin.checkers.thinning import thin
from tocsin.core import clock, config, log
from tocsin.core.doorbell import Doorbell
from tocsin.core.http import Client
from tocsin.db import bulk
from tocsin.db.checkpoint import checkpoint
from tocsin.db.work import Worker
from tocsin.fleet import commands, feed
from tocsin.fleet.watch import watch, watch_instances
from tocsin.notify import outbox
from tocsin.notify.lanes import Lanes
from tocsin.notify.marking import mark
from tocsin.notify.models import Delivery
from tocsin.notify.outcome import Outcome
from tocsin.notify.repeating import repeat
from tocsin.notify.sending import Parcel
from tocsin.notify.sentlog import SentLog, of_the_dead
from tocsin.notify.services import LEASE
from tocsin.notify.terms import Terms
from tocsin.notify.watch import watch as watch_channels
from tocsin.orchestration import engine, retention
from tocsin.orchestration.engine import Errand
from tocsin.orchestration.errands import Errands
from tocsin.orchestration.models import PipelineRun
from tocsin.orchestration.nodes import Walk

logger = log.get(__name__)
T = TypeVar("T")

SWEEP_SECONDS: Final = 0.25
CHECK_SECONDS: Final = 5.0
MONITOR_SECONDS: Final = 0.5
CHECKPOINT_SECONDS: Final = 2.0
DRAIN_SECONDS: Final = 3.0
AFTER_ERROR_SECONDS: Final = 1.0
LONGEST_PAUSE: Final = 0.5
QUIET_SECONDS: Final = 0.02  # intake that stored nothing for so long rests itself
INTAKE_SHARE: Final = 9  # rests after a turn under contention, in lengths of that turn
FEWEST_ENTRIES: Final = 200  # a turn's, while intake waits for the same lock
MOST_ENTRIES: Final = 400
RUNS_PER_TURN: Final = 200


class Turn:
    """One pass over what is due. All of it runs on the database thread; afterwards ``parcels`` holds
    what is to be sent, by channel."""

    def __init__(
        self, worker: Worker, lanes: Lanes, checks: CheckSet, now: datetime, most: int = FEWEST_ENTRIES
    ) -> None:
        self._worker = worker
        self._lanes = lanes
        self._checks = checks
        self._now = now
        self._most = most
        self.parcels: dict[int, list[Parcel]] = {}
        self.errands: list[Errand] = []

    def news(self, outcomes: list[Outcome], back: list[Walk]) -> int:
        """The steps of every turn: what was just sent is written, runs that are ``back`` from an errand walk
        on, heartbeats that failed or came back make and end alerts, and what just came in becomes incidents
        and runs, which are walked at once. Returns rows handled."""
        self._lanes.refresh(self._now)
        token = self._worker.token()
        watch(self._now)
        self._advance(back, token)
        entries = pending(self._most)
        if not entries:
            return outbox.finish(outcomes, self._now) + len(back)
        with bulk.transaction():
            outbox.finish(outcomes, self._now)
            news = correlate(entries, self._now)
            walks = engine.start(news, self._now, token)
        self._advance(walks, token)
        return len(outcomes) + len(back) + len(entries)

    def walk(
        self, outcomes: list[Outcome], back: list[Walk], run_ids: Iterable[str], short_of: Collection[str]
    ) -> int:
        """Instead of ``news``: walk these runs alone. Returns rows handled."""
        self._lanes.refresh(self._now)
        token = self._worker.token()
        walks = back + engine.take(run_ids, token, self._now)
        self._advance(walks, token, short_of)
        return outbox.finish(outcomes, self._now) + len(walks)

    def sweep(self) -> int:
        """The steps that wait for their time rather than for a bell. Returns rows handled."""
        return (
            expire(self._now)
            + unsilence(self._now)
            + commands.expire(self._now)
            + mark(self._now)
            + repeat(self._now)
            + watch_channels(self._now)
            + self._take_up_runs()
            + self._take_up_deliveries()
            + alerts.close_resolved(self._now)
            + watch_instances(self._now)
            + feed.thin()
            + thin(self._now)
            + retention.thin(self._now)
            + self._keep_checks()
        )

    def _take_up_runs(self) -> int:
        """Retries, resumed runs, and runs whose worker died."""
        token = self._worker.token()
        walks = engine.claim(token, self._now, RUNS_PER_TURN)
        self._advance(walks, token)
        return len(walks)

    def _advance(self, walks: list[Walk], token: str, short_of: Collection[str] = ()) -> None:
        until = time.monotonic() + LEASE.total_seconds()
        advanced = engine.advance(walks, token, self._now, self._checks, self._room(), short_of)
        self.errands += advanced.errands
        for item in advanced.outgoing:
            self._send(item.channel_id, Parcel(item.message.id, token, until, item.message))
        if advanced.told:
            self._take_up(lambda terms: terms.is_paced and terms.channel_id in advanced.told)

    def _take_up_deliveries(self) -> int:
        """Retries, deliveries there was no room for, and those whose worker died."""
        return self._take_up(lambda terms: True)

    def _take_up(self, which: Callable[[Terms], bool]) -> int:
        taken = 0
        for terms, room in self._lanes.claiming():
            left = room - len(self.parcels.get(terms.channel_id, ()))
            if left <= 0 or not which(terms):
                continue
            token, until = self._worker.token(), time.monotonic() + LEASE.total_seconds()
            for due in outbox.claim(terms, left, token, self._now):
                parcel = Parcel(due.delivery_id, token, until, due.message, due.handle, due.head)
                self._send(terms.channel_id, parcel)
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
        self._rounds = Rounds(self._worker)
        self._folder = config.data_dir() / "workers"
        self._database = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        self._outcomes: list[Outcome] = []
        self._back: list[Walk] = []
        self._sweep_at = float("-inf")
        self._most = FEWEST_ENTRIES
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; then let what is being sent end, and give back the rest."""
        loop = asyncio.get_running_loop()
        self._bell = Doorbell()
        self._http = Client()
        self._lanes = Lanes(self._http, self._done)
        self._errands = Errands(self._http, self._is_back)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        await self._on_database(self._take_over)
        self._sent = SentLog.begin(self._folder, self._worker.name)
        beside = [
            asyncio.create_task(self._every(CHECK_SECONDS, self._checks.run)),
            asyncio.create_task(self._every(CHECKPOINT_SECONDS, checkpoint)),
            asyncio.create_task(self._every(MONITOR_SECONDS, lambda: self._rounds.turn(clock.now()))),
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
        self._outcomes.append(outcome)
        try:
            self._sent.add(outcome)
        except OSError as error:  # the disk is full: should this process die now, a message may repeat
            logger.error("worker.sent_log_failed", error=str(error), delivery_id=outcome.delivery_id)
        self._bell.ring_here()

    def _is_back(self, walk: Walk) -> None:
        self._back.append(walk)
        self._bell.ring_here()

    async def _turn(self) -> int:
        outcomes, self._outcomes = self._outcomes, []
        back, self._back = self._back, []
        began, waited = time.monotonic(), bulk.waited()
        turn = Turn(self._worker, self._lanes, self._checks, clock.now(), self._most)
        left = self._lanes.left()
        try:
            handled = await self._on_database(lambda: turn.news(outcomes, back))
            if left:  # after what came of the tries, by which its channel rests for all
                await self._on_database(lambda: outbox.release(left, clock.now()))
            if time.monotonic() >= self._sweep_at:
                handled += await self._on_database(turn.sweep)
                self._sweep_at = time.monotonic() + SWEEP_SECONDS
        except DatabaseError as error:
            logger.error("worker.database_failed", error=str(error))
            # Walks that came further in memory than on disk are let go: they fall due with their leases.
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
        self._errands.begin(turn.errands)
        contended = bulk.waited() > waited
        self._most = FEWEST_ENTRIES if contended else min(MOST_ENTRIES, self._most * 2)
        if contended:
            await self._give_way(INTAKE_SHARE * (time.monotonic() - began))
        return handled

    async def _give_way(self, seconds: float) -> None:
        """Rest while intake is busy: it writes too, and goes first, as what it has not stored yet can
        be lost, and our work cannot."""
        until = time.monotonic() + min(LONGEST_PAUSE, seconds)
        while time.monotonic() < until and not self._stopping.is_set():
            await asyncio.sleep(QUIET_SECONDS)
            if time.monotonic() - self._bell.heard_at > QUIET_SECONDS:
                return

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
            monitors = Monitor.objects.release(left.worker, now)
            left.remove()
            logger.warning("worker.took_over", dead=left.worker, sent=sent, runs=runs, deliveries=deliveries,
                           monitors=monitors)  # fmt: skip

    def _give_back_runs(self, now: datetime) -> None:
        """Those that are back from an errand walk on as far as they go; the others are anybody's at once."""
        engine.advance(self._back, self._worker.token(), now, self._checks, room={})
        PipelineRun.objects.give_back(self._worker.name, now)

    async def _drain(self) -> None:
        until = time.monotonic() + DRAIN_SECONDS
        dropped = self._lanes.drop()
        self._errands.drop_waiting()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._lanes.busy or self._errands.busy:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            logger.warning("worker.drain_timeout")  # those deliveries fall due again when their lease ends
        self._errands.drop()
        now, outcomes = clock.now(), self._outcomes
        await self._on_database(lambda: outbox.finish(outcomes, now))
        await self._on_database(lambda: outbox.release(dropped, now))
        await self._on_database(lambda: self._give_back_runs(now))
        await self._on_database(lambda: self._rounds.end(clock.now(), until))
        self._sent.remove()
        await self._on_database(connections.close_all)
        self._http.close()
        self._bell.close()
        self._database.shutdown()
