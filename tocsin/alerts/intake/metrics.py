"""What intake counts."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

POSTS = Counter("tocsin_intake_posts", "Posts by way in and HTTP status.", ["source", "status"])
ALERTS = Counter("tocsin_intake_alerts", "Alerts taken in, durable.", ["source"])
REFUSED = Counter("tocsin_intake_alerts_refused", "Alerts that could not be read.", ["source"])
SECONDS = Histogram(
    "tocsin_intake_seconds",
    "From a request to its answer.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
DEPTH = Gauge("tocsin_intake_queue_alerts", "Alerts that wait for the disk.", multiprocess_mode="livesum")

_posts, _alerts, _refused = cache(POSTS.labels), cache(ALERTS.labels), cache(REFUSED.labels)


def count_post(source: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    _posts(source, status).inc()
    SECONDS.observe(seconds)


def count_alerts(source: str, taken: int, refused: int) -> None:
    """Count a post's alerts."""
    _alerts(source).inc(taken)
    if refused:
        _refused(source).inc(refused)
