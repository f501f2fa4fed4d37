"""What came of trying to send, and what follows from it. Values in, values out."""

from datetime import datetime, timedelta

import msgspec

from tocsin.db.work import backoff
from tocsin.notify.drivers import Handle

FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 900.0
GIVE_UP_AFTER = timedelta(hours=12)
FEWEST_TRIES = 6  # one that a route held back, or that stood in line, is old when it is tried first
UNCLEAR_TRIES = 10  # each may have brought the message: in a quarter of an hour about


class Outcome(msgspec.Struct):
    """The end of one try. ``error`` is empty where it was sent; ``final`` where no retry will help,
    ``unclear`` where it may have been sent."""

    delivery_id: str
    token: str
    channel_id: int = 0
    incident_id: int | None = None
    handle: Handle | None = None  # of a message that later ones of the incident belong to
    latency_ms: float = 0
    answer: str = ""
    error: str = ""
    final: bool = False
    unclear: bool = False
    retry_after: float | None = None

    @property
    def sent(self) -> bool:
        """Whether the receiver took it."""
        return not self.error


def next_try(outcome: Outcome, attempts: int, created_at: datetime, now: datetime) -> datetime | None:
    """When to try again; None where it goes to the dead letters."""
    if outcome.final or (attempts >= FEWEST_TRIES and now - created_at > GIVE_UP_AFTER):
        return None
    if outcome.unclear and attempts >= UNCLEAR_TRIES:
        return None
    wait = backoff(attempts, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
    if outcome.retry_after is not None:
        wait = max(wait, timedelta(seconds=outcome.retry_after))
    return now + wait
