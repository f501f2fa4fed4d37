"""What intake counts: in plain numbers on the hot path, handed to Prometheus' counters now and then."""

from collections import Counter as Tally
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

POSTS = Counter("tocsin_intake_posts", "Posts by way in and HTTP status.", ["source", "status"])
ALERTS = Counter("tocsin_intake_alerts", "Alerts taken in, durable.", ["source"])
REFUSED = Counter("tocsin_intake_alerts_refused", "Alerts that could not be read.", ["source"])
PARKED = Counter(
    "tocsin_intake_parked", "Payloads that nobody could read, by whether they were kept.", ["result"]
)
COMMIT_SECONDS = Histogram(
    "tocsin_intake_commit_seconds",
    "One group commit, from its beginning until it is on disk.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
DEPTH = Gauge("tocsin_intake_queue_alerts", "Alerts that wait for the disk.", multiprocess_mode="livesum")

_posts: Tally[tuple[str, int]] = Tally()
_alerts: Tally[str] = Tally()
_refused: Tally[str] = Tally()
_child = cache(Counter.labels)


def count_post(source: str, status: int) -> None:
    """Count one answered request."""
    _posts[source, status] += 1


def count_alerts(source: str, taken: int, refused: int) -> None:
    """Count a post's alerts."""
    _alerts[source] += taken
    if refused:
        _refused[source] += refused


def hand_over(depth: int) -> None:
    """Add what was counted to Prometheus' counters. Called on the loop that counts."""
    DEPTH.set(depth)
    for (source, status), count in _posts.items():
        _child(POSTS, source, status).inc(count)
    for counter, tally in ((ALERTS, _alerts), (REFUSED, _refused)):
        for source, count in tally.items():
            _child(counter, source).inc(count)
        tally.clear()
    _posts.clear()
