"""When a monitor looks next: at slots of its own, an interval apart, which no delay moves."""

import math
import random
from datetime import UTC, datetime, timedelta
from zlib import crc32


def next_look(key: str, interval: int, jitter: float, after: datetime, draw: float | None = None) -> datetime:
    """The first of its slots from a moment on, at most half its jitter earlier or later.

    The slots of monitors with one interval are spread over all of it by ``key``, so that a thousand made at
    once do not look at once.
    """
    phase = crc32(key.encode()) / 2**32 * interval
    slot = phase + math.ceil((after.timestamp() - phase) / interval) * interval
    moved = jitter * interval * ((random.random() if draw is None else draw) - 0.5)
    return datetime.fromtimestamp(slot + moved, UTC)


def after_look(began: datetime, interval: int, now: datetime) -> datetime:
    """From when on the next slot is meant: looks that a pause or a slow check missed are not made up for."""
    return max(began + timedelta(seconds=interval / 2), now)
