"""What delivery counts: in plain numbers while sending, handed to Prometheus' counters now and then."""

from collections import Counter as Tally
from functools import cache

from prometheus_client import Counter, Histogram

DELIVERIES = Counter("tocsin_deliveries", "Tries by driver and result.", ["driver", "result"])
SECONDS = Histogram(
    "tocsin_delivery_seconds",
    "From a request to the receiver's answer.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)

_child = cache(DELIVERIES.labels)
_tries: Tally[tuple[str, str]] = Tally()


def count(driver: str, result: str, seconds: float) -> None:
    """Count one try and how long it took."""
    _tries[driver, result] += 1
    SECONDS.observe(seconds)


def hand_over() -> None:
    """Add what was counted to Prometheus' counters. Called on the loop that sends."""
    for (driver, result), tries in _tries.items():
        _child(driver, result).inc(tries)
    _tries.clear()
