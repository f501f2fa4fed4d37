"""Sending: each channel has a lane of its own, so that a slow or dead one holds up nobody else.

Lanes live on the worker's event loop and touch no database. Deliveries come in leased; what came of
them is collected in ``outcomes`` and written by ``outbox.py``, many at a time.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import msgspec

from tocsin.core import log
from tocsin.core.errors import Rejected, TocsinError, Unavailable, Unclear
from tocsin.core.http import Client
from tocsin.notify import metrics
from tocsin.notify.discreet import Discreet
from tocsin.notify.drivers import BaseDriver, Handle
from tocsin.notify.message import Message
from tocsin.notify.outcome import Outcome
from tocsin.notify.pace import LONGEST_PAUSE_SECONDS
from tocsin.notify.terms import Terms
from tocsin.notify.threads import tell
from tocsin.notify.written import Written

logger = log.get(__name__)

ROOM_PER_SENDER: Final = 64
DRAIN_SECONDS: Final = 0.25
MAX_ANSWER: Final = 300
_SMOOTHING: Final = 0.2


class Parcel(msgspec.Struct):
    """A leased delivery in memory. After ``until`` (monotonic) somebody else may have it."""

    delivery_id: str
    token: str
    until: float
    message: Message
    handle: Handle | None = None  # of what the channel has of the incident
    head: Message | None = None  # and what that should say now


class Lane:
    """One channel's queue and its senders."""

    def __init__(
        self,
        name: str,
        driver: BaseDriver[Any],
        driver_name: str,
        terms: Terms,
        written: Written,
        http: Client,
        done: Callable[[Outcome], None],
    ) -> None:
        self.name = name
        self.terms = terms
        self._driver = driver
        self._discreet = Discreet(driver.config)
        self._driver_name = driver_name
        self._written = written
        self._http = http
        self._done = done
        self._queue: deque[Parcel] = deque()
        self._seconds_each = 0.0
        self._rests_until = 0.0  # as the service asked
        self._left: list[Parcel] = []  # what was queued then
        self._senders: set[asyncio.Task[None]] = set()

    @property
    def room(self) -> int:
        """How many more deliveries it takes in."""
        return max(0, self._driver.concurrency * ROOM_PER_SENDER - len(self._queue) - len(self._senders))

    @property
    def busy(self) -> bool:
        """Whether something is being sent."""
        return bool(self._senders)

    def put(self, parcels: Iterable[Parcel]) -> None:
        """Queue leased deliveries; while the channel rests they are left."""
        if self._rests_until > time.monotonic():
            self._left += parcels
            return
        self._queue.extend(parcels)
        for _ in range(self._wanted() - len(self._senders)):
            task = asyncio.get_running_loop().create_task(self._send_all(), name=f"send to {self.name}")
            self._senders.add(task)

    def _wanted(self) -> int:
        """How many senders it takes to empty the queue in time. What is on its way when a worker is
        killed is sent again: so no more at once than that."""
        behind = len(self._queue) * self._seconds_each / DRAIN_SECONDS
        return min(self._driver.concurrency, len(self._queue), 1 + int(behind))

    def drop(self) -> list[Parcel]:
        """Give back what has not been begun."""
        return [*self.left(), *self._empty()]

    def left(self) -> list[Parcel]:
        """Give back what the service does not want now."""
        left, self._left = self._left, []
        return left

    def _empty(self) -> list[Parcel]:
        queued = list(self._queue)
        self._queue.clear()
        return queued

    async def _send_all(self) -> None:
        try:
            while self._queue and len(self._senders) <= max(1, self._wanted()):
                parcel = self._queue.popleft()
                if parcel.until - time.monotonic() > self._driver.timeout:  # else the lease might end midway
                    self._done(await self._send(parcel))
        finally:
            # At once: another that looks in the same moment would count this one, and leave as well.
            self._senders.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        metrics.hand_over()

    def _rest(self, seconds: float) -> None:
        """What is queued is for whoever claims it when the channel's pace, which all share, lets it go."""
        self._rests_until = time.monotonic() + min(seconds, LONGEST_PAUSE_SECONDS)
        self._left += self._empty()

    async def _send(self, parcel: Parcel) -> Outcome:
        message = parcel.message
        outcome = Outcome(parcel.delivery_id, parcel.token, self.terms.channel_id, message.incident_id)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(parcel.until - time.monotonic()):  # some drivers ask several times
                told = await tell(
                    self._driver, self.terms.mode, self._written.of(message), self._http, parcel.handle,
                    self._written.of(parcel.head) if parcel.head else None,
                )  # fmt: skip
            outcome.answer, outcome.handle = self._discreet.told(told.answer, MAX_ANSWER), told.handle
        except TocsinError as error:
            outcome.error = self._discreet.told(str(error)) or type(error).__name__
            outcome.final, outcome.unclear = isinstance(error, Rejected), isinstance(error, Unclear)
            outcome.retry_after = error.retry_after if isinstance(error, Unavailable) else None
        except TimeoutError:
            outcome.error = "no end before its lease ended"
        except Exception as error:
            outcome.error = self._discreet.told(f"{type(error).__name__}: {error}")
            outcome.final = True
            logger.exception("delivery.driver_failed", channel=self.name, trace_id=parcel.message.trace_id)
        if outcome.retry_after:
            self._rest(outcome.retry_after)
        took = time.perf_counter() - began
        self._seconds_each += _SMOOTHING * (took - self._seconds_each)
        outcome.latency_ms = took * 1000
        result = "sent" if outcome.sent else "rejected" if outcome.final else "failed"
        metrics.count(self._driver_name, result, took)
        if not outcome.sent:
            logger.warning(
                "delivery.failed", channel=self.name, error=outcome.error, final=outcome.final,
                delivery_id=parcel.delivery_id, trace_id=parcel.message.trace_id,
            )  # fmt: skip
        return outcome
