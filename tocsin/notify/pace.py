"""How fast a channel is served: the rate that its service takes, and a circuit that opens when it fails.
Values in, values out; ``outbox.py`` reads and writes them, shared by all workers."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from tocsin.db.work import backoff
from tocsin.notify.drivers import Rate

FAILURES_TO_OPEN: Final = 5  # in a row
FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 120.0
LONGEST_PAUSE: Final = timedelta(seconds=LONGEST_PAUSE_SECONDS)  # one beyond it is of a clock that was wrong
PATIENCE: Final = timedelta(seconds=60)  # until people hear that it does not answer, or works again


class Pace(msgspec.Struct):
    """One channel's. ``tokens`` are messages that it takes at once, as of ``filled_at``."""

    channel_id: int
    tokens: float = 0
    filled_at: datetime | None = None
    failures: int = 0  # in a row
    paused_until: datetime | None = None
    failing_since: datetime | None = None
    tell_at: datetime | None = None  # when people hear that it fails, or that it works again
    told: bool = False
    last_error: str = ""

    @property
    def is_open(self) -> bool:
        """Whether so much failed that one message at a time is tried."""
        return self.failures >= FAILURES_TO_OPEN

    def allows(self, rate: Rate | None, now: datetime, room: int) -> int:
        """How many messages may go now, at most ``room``."""
        if self._is_paused(now):
            return 0
        most = min(room, 1) if self.is_open else room
        if rate is None:
            return most
        self._fill(rate, now)
        return max(0, min(most, int(self.tokens)))

    def _is_paused(self, now: datetime) -> bool:
        return self.paused_until is not None and now < self.paused_until <= now + LONGEST_PAUSE

    def _fill(self, rate: Rate, now: datetime) -> None:
        if self.filled_at is None or self.filled_at > now + LONGEST_PAUSE:
            self.tokens = rate.burst
        else:
            passed = max(0.0, (now - self.filled_at).total_seconds())
            self.tokens = min(rate.burst, self.tokens + passed * rate.per_second)
        self.filled_at = now

    def spend(self, messages: int, now: datetime) -> None:
        """So many were claimed. While the circuit is open, whoever claims waits to see how that one fares."""
        self.tokens -= messages
        if self.is_open and messages:
            self.paused_until = now + self._pause

    @property
    def _pause(self) -> timedelta:
        return backoff(self.failures - FAILURES_TO_OPEN + 1, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)

    def succeeded(self, now: datetime) -> None:
        """A message was taken."""
        self.failures, self.paused_until, self.failing_since, self.last_error = 0, None, None, ""
        self.tell_at = now + PATIENCE if self.told else None

    def failed(self, error: str, now: datetime, *, times: int, retry_after: float | None) -> None:
        """Tries failed that may succeed later. A service that says when is alive: that opens no circuit.
        While it is open, however many fail at once, the pause grows by one step."""
        if retry_after is None:
            before = self.failures
            self.failures = before + min(times, 1) if self.is_open else min(before + times, FAILURES_TO_OPEN)
        self._is_failing(error, now, now + PATIENCE)
        until = [now + self._pause] if self.is_open else []
        if retry_after is not None:
            until.append(now + timedelta(seconds=min(retry_after, LONGEST_PAUSE_SECONDS)))
            self.tokens = 0
        if self.paused_until is not None and self._is_paused(now):
            until.append(self.paused_until)
        self.paused_until = max(until, default=None)

    def refused(self, error: str, now: datetime) -> None:
        """A message was refused for good: people should know at once."""
        self._is_failing(error, now, now)

    def _is_failing(self, error: str, now: datetime, tell_at: datetime) -> None:
        self.failing_since = self.failing_since or now
        self.last_error = error
        if self.told:
            self.tell_at = None
        else:
            self.tell_at = min(tell_at, self.tell_at or tell_at)
