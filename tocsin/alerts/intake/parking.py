"""Parking what could not be read, off the hot path: one at a time, and what comes meanwhile is only counted.

Whoever posts nonsense all day fills neither the disk nor the thread.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from django.db import DatabaseError, connection

from tocsin.alerts import parked
from tocsin.alerts.intake import metrics
from tocsin.alerts.parked import Unread
from tocsin.core import clock, log

logger = log.get(__name__)


class Parking:
    """Keeps unread payloads, from one event loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="parking")
        self._busy = False

    def park(self, unread: Unread) -> None:
        """Keep one soon, unless another is just being kept."""
        metrics.PARKED.labels("skipped" if self._busy else "kept").inc()
        if self._busy:
            return
        self._busy = True
        done = asyncio.get_running_loop().run_in_executor(self._thread, _keep, unread)
        done.add_done_callback(self._rest)

    def _rest(self, _: object) -> None:
        self._busy = False

    def close(self) -> None:
        """Keep what is under way, then end."""
        self._thread.shutdown()


def _keep(unread: Unread) -> None:
    try:
        parked.park(unread=unread, now=clock.now())
    except DatabaseError as error:
        logger.warning("intake.parking_failed", error=str(error), trace_id=unread.trace_id)
    finally:
        connection.close()  # it may be hours until the next
