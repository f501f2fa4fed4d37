"""What an instance counts, for Prometheus and for ``/stats``."""

from collections import Counter as Tally
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

PATHS: Final = frozenset({"/alert", "/health", "/stats", "/metrics"})
METHODS: Final = frozenset({"GET", "HEAD", "POST"})
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Counted:
    """One instance's, since ``since``. ``store_error`` and ``slack_error`` are empty while they answer."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self.tally: Tally[str] = Tally()
        self.store_error = self.slack_error = ""
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "Requests answered.", ["method", "path", "status"], registry=registry
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "From a request to its answer.",
            ["path"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._errors = Counter("threader_errors", "What went wrong, by kind.", ["kind"], registry=registry)
        self._webhooks = Counter(
            "threader_webhooks", "Webhooks by what came of them.", ["result"], registry=registry
        )
        self._messages = Counter("threader_messages", "Slack messages by deed.", ["deed"], registry=registry)
        self._health = Gauge(
            "threader_health_status", "1 while webhooks can be kept and told, else 0.", registry=registry
        )
        self._waiting = Gauge(
            "threader_waiting_webhooks", "Webhooks that wait to be told.", registry=registry
        )
        for kind in ("slack", "store"):
            self._errors.labels(kind)

    @property
    def well(self) -> bool:
        """Whether the store and Slack did what was asked of them last."""
        return not self.store_error and not self.slack_error

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        """One was answered."""
        shown = path if path in PATHS else "other"
        self._requests.labels(method if method in METHODS else "other", shown, str(status)).inc()
        self._seconds.labels(shown).observe(seconds)

    def webhook(self, result: str, count: int = 1) -> None:
        """Webhooks were accepted, told, found to repeat what was told, or given up."""
        self.tally[result] += count
        self._webhooks.labels(result).inc(count)

    def message(self, deed: str) -> None:
        """Slack took one: opened, changed or answered."""
        self.tally[deed] += 1
        self._messages.labels(deed).inc()

    def error(self, kind: str) -> None:
        """Something went wrong: with Slack, with the store, or with a webhook."""
        self.tally["errors"] += 1
        self._errors.labels(kind).inc()

    def exposition(self, waiting: int | None) -> bytes:
        """For Prometheus; ``waiting`` is None where the store does not answer."""
        self._health.set(self.well and waiting is not None)
        if waiting is not None:
            self._waiting.set(waiting)
        return generate_latest(self._registry)
