"""The doorbell's reach beyond this machine: rings are published in Redis, and heard from there.

Each end has a thread of its own that keeps a connection, so that nobody ever waits for Redis. While it
is away rings are lost, which costs what the worker's sweep takes to find the work.
"""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from prometheus_client import Gauge

from tocsin.core import log
from tocsin.core.errors import Rejected
from tocsin.core.redis import Redis, address

logger = log.get(__name__)

ANSWER_SECONDS: Final = 1.0
GATHER_SECONDS: Final = 0.005  # a burst of commits rings once
QUIET_SECONDS: Final = 5.0  # without a ring, after which Redis is asked whether it lives
STEADY_SECONDS: Final = 1.0  # a connection that held so long is worth making again at once
FIRST_WAIT, LONGEST_WAIT = 0.1, 10.0
UP = Gauge(
    "tocsin_redis_up",
    "0 while Redis cannot be used to ring workers on other machines (use=ring), or to hear them (use=hear).",
    ["use"],
    multiprocess_mode="livemin",
)


class _End(threading.Thread, ABC):
    """One end of the bell: uses a connection until it fails, then makes another."""

    use = ""

    def __init__(self, url: str) -> None:
        super().__init__(name=f"bell ({self.use})", daemon=True)
        self._address = address(url)
        self._channel = f"tocsin:bell:{self._address.database}"  # publishing knows no databases
        self._over = threading.Event()
        self._redis: Redis | None = None
        self._worked = False  # this connection
        self._lost_at: float | None = None
        self.start()

    def run(self) -> None:
        """Live through every failure."""
        failures = 0
        while not self._over.is_set():
            self._rest()
            began, self._worked = time.monotonic(), False
            try:
                with Redis(self._address, ANSWER_SECONDS) as self._redis:
                    self._use(self._redis)
            except (OSError, Rejected) as error:
                steady = self._worked and time.monotonic() - began > STEADY_SECONDS
                failures = 0 if steady else failures + 1
                if failures and not self._over.is_set():
                    self._lost(error)
                    ceiling = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - 1, 16))
                    self._over.wait(ceiling * random.uniform(0.5, 1.0))

    def close(self) -> None:
        """End it; does not wait for that."""
        self._over.set()
        if self._redis:
            self._redis.close()

    def _rest(self) -> None:
        """Wait until a connection is of use."""

    @abstractmethod
    def _use(self, redis: Redis) -> None:
        """Use a connection, until it fails or this is over."""

    def _works(self) -> None:
        self._worked = True
        UP.labels(self.use).set(1)
        if self._lost_at is not None:
            away = round(time.monotonic() - self._lost_at, 1)
            logger.warning("redis.back", use=self.use, redis=str(self._address), away_seconds=away)
            self._lost_at = None

    def _lost(self, error: Exception) -> None:
        UP.labels(self.use).set(0)
        if self._lost_at is None:
            logger.warning("redis.lost", use=self.use, redis=str(self._address), error=str(error))
            self._lost_at = time.monotonic()


class Ringer(_End):
    """The button."""

    use = "ring"

    def __init__(self, url: str) -> None:
        self._wanted = threading.Event()
        super().__init__(url)

    def ring(self) -> None:
        """Have it rung soon. Costs nothing while a ring is on its way."""
        if not self._wanted.is_set():
            self._wanted.set()

    def close(self) -> None:
        super().close()
        self._wanted.set()

    def _rest(self) -> None:
        self._wanted.wait()

    def _use(self, redis: Redis) -> None:
        while self._wanted.wait() and not self._over.is_set():
            self._wanted.clear()  # who rings from here on is heard after this
            try:
                redis.ask("PUBLISH", self._channel, "")
            except BaseException:
                self._wanted.set()  # rung once Redis is back
                raise
            self._works()
            self._over.wait(GATHER_SECONDS)


class Listener(_End):
    """The bell itself: ``heard`` is called in its thread for each ring."""

    use = "hear"

    def __init__(self, url: str, heard: Callable[[], None]) -> None:
        self._heard = heard
        super().__init__(url)

    def _use(self, redis: Redis) -> None:
        redis.subscribe(self._channel)
        self._works()
        self._heard()  # for what was rung while nobody listened
        while not self._over.is_set():
            if redis.published(QUIET_SECONDS):
                self._heard()
