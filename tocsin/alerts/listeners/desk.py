"""From what a listener read to the disk: bounds, counts, and patience where there is no hurry."""

import asyncio
import random
from typing import Final

from tocsin.alerts.events import AlertEvent, Reading
from tocsin.alerts.intake import metrics
from tocsin.alerts.intake.committer import Committer
from tocsin.alerts.intake.journal import Post
from tocsin.alerts.intake.limits import keep_good
from tocsin.core import clock, log
from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.ids import new_id

logger = log.get(__name__)

COUNT_SECONDS: Final = 0.5
LONGEST_WAIT: Final = 30.0
TAKEN, REFUSED, LATER = 202, 400, 503


class Desk:
    """Takes readings on the event loop that its committer was started on."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self._counted = False  # whether a hand-over of what was counted is under way

    async def store(self, source: str, reading: Reading) -> str:
        """Return, with the trace id, once what is good of a reading is on disk.

        Raises Unavailable where it cannot be stored now, Rejected where nothing of it can ever be.
        """
        reading, trace = keep_good(reading), new_id()
        if reading.errors:
            metrics.count_alerts(source, 0, len(reading.errors))
            problem = reading.errors[0].message
            logger.warning("listener.refused", source=source, error=problem, trace_id=trace)
            if not reading.alerts:
                raise Rejected(problem)
        if reading.alerts:
            await self._committer.submit(Post(reading.alerts, source, trace, clock.now()))
            metrics.count_alerts(source, len(reading.alerts), 0)
        return trace

    async def store_patiently(self, source: str, events: list[AlertEvent]) -> None:
        """The same for a source that cannot be told to come again: wait and try until it is stored."""
        tries = 0
        while True:
            try:
                await self.store(source, Reading(list(events)))
            except Unavailable as error:
                self.count(source, LATER)
                wait = backoff(tries, LONGEST_WAIT)
                logger.warning("listener.waits", source=source, error=str(error), seconds=round(wait, 1))
                await asyncio.sleep(wait)
                tries += 1
            except Rejected as error:
                self.count(source, REFUSED)
                logger.error("listener.lost", source=source, error=str(error), alerts=len(events))
                return
            else:
                self.count(source, TAKEN)
                return

    def count(self, source: str, status: int) -> None:
        """Count one message that was answered, or would have been."""
        metrics.count_post(source, status)
        if not self._counted:
            self._counted = True
            asyncio.get_running_loop().call_later(COUNT_SECONDS, self._hand_over)

    def _hand_over(self) -> None:
        self._counted = False
        metrics.hand_over(self._committer.depth)


def backoff(tries: int, longest: float) -> float:
    """Seconds to wait after so many tries: from one, doubling, no two alike."""
    return min(longest, 2.0 ** min(tries, 10)) * random.uniform(0.5, 1)
