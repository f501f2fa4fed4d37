"""Prometheus' text format: what the processes count, and what the database holds at this moment."""

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from django.db import DatabaseError
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from tocsin.alerts.intake import metrics as _intake  # noqa: F401 - registers what intake counts
from tocsin.api.alertmanager import VERSION
from tocsin.core import log
from tocsin.db import bulk
from tocsin.notify import metrics as _notify  # noqa: F401 - registers what delivery counts

logger = log.get(__name__)

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

# The conditions stand in the text, as a partial index serves no bound parameter.
_WAITING = "SELECT COUNT(*) FROM alerts_alerthistory WHERE decision = ''"
_OLDEST = "SELECT received_at FROM alerts_alerthistory WHERE decision = '' ORDER BY id LIMIT 1"
_RUNS_DUE = "SELECT COUNT(*) FROM orchestration_pipelinerun WHERE due_at <= %s"
_RUNS_TROUBLED = """
    SELECT state, COUNT(*) FROM orchestration_pipelinerun
    WHERE state IN ('FAILED', 'RETRYING') GROUP BY state"""
_DELIVERIES_OPEN = "SELECT state, COUNT(*) FROM notify_delivery WHERE due_at IS NOT NULL GROUP BY state"
_DELIVERIES_DEAD = "SELECT COUNT(*) FROM notify_delivery WHERE state = 'dead'"
_INCIDENTS = """
    SELECT status, COUNT(*) FROM alerts_incident
    WHERE status IN ('open', 'acknowledged', 'resolved') GROUP BY status"""
QUERIES: Final = (
    _WAITING,
    _OLDEST,
    _RUNS_DUE,
    _RUNS_TROUBLED,
    _DELIVERIES_OPEN,
    _DELIVERIES_DEAD,
    _INCIDENTS,
)


def exposition(now: datetime) -> bytes:
    """All metrics. Counters are of every process of this start, where there are several."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(_Database(now))
    return generate_latest(registry)


class _Database(Collector):
    """Gauges read from the database when somebody asks."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def collect(self) -> Iterator[Metric]:
        yield _gauge("tocsin_build_info", "The version that runs.", "version", [(_version(), 1)])
        yield _gauge("alertmanager_build_info", "The version of its API.", "version", [(VERSION, 1)])
        try:
            found = list(_read(self._now))
        except DatabaseError as error:  # the counters are worth most when the database is away
            logger.warning("metrics.database_failed", error=str(error))
            found = []
        yield GaugeMetricFamily(
            "tocsin_database_up", "1 where the database answered this scrape.", value=float(bool(found))
        )
        yield from found


def _read(now: datetime) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "tocsin_journal_waiting", "Journal entries that wait for correlation.", value=_one(_WAITING)
    )
    yield GaugeMetricFamily(
        "tocsin_journal_oldest_seconds", "Age of the oldest of them.", value=_oldest_seconds(now)
    )
    runs = [("due", _one(_RUNS_DUE, bulk.moment(now))), *_counts(_RUNS_TROUBLED, "FAILED", "RETRYING")]
    yield _gauge("tocsin_runs", "Pipeline runs that are due, failed or retrying.", "state", runs)
    deliveries = [*_counts(_DELIVERIES_OPEN, "pending", "retrying"), ("dead", _one(_DELIVERIES_DEAD))]
    yield _gauge(
        "tocsin_deliveries_unsent", "Deliveries on their way, and dead letters.", "state", deliveries
    )
    incidents = _counts(_INCIDENTS, "open", "acknowledged", "resolved")
    yield _gauge("tocsin_incidents", "Incidents that are not closed.", "status", incidents)


def _gauge(name: str, meaning: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for key, value in values:
        family.add_metric([key.lower() if label == "state" else key], value)
    return family


def _one(sql: str, *params: Any) -> float:
    return float(bulk.fetch(sql, params)[0][0])


def _counts(sql: str, *states: str) -> list[tuple[str, float]]:
    """A count for each state, 0 for those without a row: a series must not come and go."""
    found = dict(bulk.fetch(sql))
    return [(state, float(found.get(state, 0))) for state in states]


def _oldest_seconds(now: datetime) -> float:
    rows = bulk.fetch(_OLDEST)
    received_at = bulk.read_moment(rows[0][0]) if rows else None
    return max(0.0, (now - received_at).total_seconds()) if received_at else 0.0


@cache
def _version() -> str:
    return version("tocsin")
