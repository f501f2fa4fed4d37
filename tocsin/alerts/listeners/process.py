"""Keeps listeners running, each by itself: one that fails is started again and never ends another."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from tocsin.alerts.intake.committer import Committer
from tocsin.alerts.listeners.desk import Desk, backoff
from tocsin.alerts.listeners.metrics import UP
from tocsin.core import config, doorbell, log
from tocsin.core.lifeline import Lifeline

logger = log.get(__name__)

LONGEST_WAIT: Final = 60.0
STEADY_SECONDS: Final = 20.0


class Listener(Protocol):
    """One way in."""

    @property
    def name(self) -> str:
        """What it is called in log lines and metrics."""

    async def run(self) -> None:
        """Listen until something fails; it is called again then."""


async def listen(make: Callable[[Desk], Sequence[Listener]]) -> None:
    """Run listeners until SIGTERM, SIGINT or the supervisor's end; what they took in is on disk then."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    lifeline = asyncio.create_task(Lifeline().cut())
    lifeline.add_done_callback(lambda _: stop.set())
    committer = Committer(limit=config.number("TOCSIN_INTAKE_QUEUE"), on_change=doorbell.ring)
    committer.start()
    tasks = [asyncio.create_task(keep(listener)) for listener in make(Desk(committer))]
    try:
        await stop.wait()
    finally:
        for task in (*tasks, lifeline):
            task.cancel()
        await asyncio.gather(*tasks, lifeline, return_exceptions=True)
        committer.stop()


async def keep(listener: Listener) -> None:
    """Run one listener again and again, with growing waits where it fails at once."""
    up, failures = UP.labels(listener.name), 0
    up.set(0)
    while True:
        began = time.monotonic()
        error = await _outcome(listener)
        up.set(0)
        if time.monotonic() - began > STEADY_SECONDS:
            failures = 0
        wait = backoff(failures, LONGEST_WAIT)
        failures += 1
        logger.warning("listener.failed", listener=listener.name, error=error, retry_in=round(wait, 1))
        await asyncio.sleep(wait)


async def _outcome(listener: Listener) -> str:
    """Why a run ended, whatever it was: here a failure is told, not raised."""
    run = asyncio.create_task(listener.run())
    try:
        await asyncio.wait([run])
    finally:
        if not run.done():
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
    error = None if run.cancelled() else run.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return "it ended by itself" if error is None else f"{type(error).__name__}: {error}"
