"""A monitor and its results as programs are told of them."""

from datetime import datetime
from typing import Any

import msgspec

from tocsin.checkers.models import CheckRun, Monitor
from tocsin.checkers.monitors import shown_options


class MonitorTold(msgspec.Struct):
    """A monitor; secrets in its options are dots."""

    id: str
    name: str
    checker: str
    options: dict[str, Any]
    target: str
    interval: int
    jitter: float
    failures: int
    recoveries: int
    labels: dict[str, str]
    severities: dict[str, str]
    enabled: bool
    origin: str
    state: str
    last_status: str
    last_message: str
    last_run_at: datetime | None
    since: datetime | None
    failing_count: int
    due_at: datetime | None
    created_at: datetime
    url: str


class CheckRunTold(msgspec.Struct):
    """One result; ``monitor`` is empty where none asked for it."""

    id: int
    monitor: str
    checker: str
    instance: str
    status: str
    message: str
    metrics: dict[str, float | None]
    trace_id: str
    started_at: datetime
    duration_ms: float


def told(monitor: Monitor) -> MonitorTold:
    """A monitor as it stands."""
    names = (name for name in MonitorTold.__struct_fields__ if name != "options")
    return MonitorTold(options=shown_options(monitor), **{name: getattr(monitor, name) for name in names})


def told_run(run: CheckRun) -> CheckRunTold:
    """A result."""
    names = (name for name in CheckRunTold.__struct_fields__ if name != "monitor")
    return CheckRunTold(monitor=run.monitor_id or "", **{name: getattr(run, name) for name in names})
