"""What a result makes of its monitor, and the alert that says so. Nothing is read or written here."""

import math
from datetime import datetime
from typing import Final

import msgspec

from tocsin.alerts.events import AlertEvent
from tocsin.checkers.checks import OK, CheckResult
from tocsin.checkers.models import Monitor
from tocsin.checkers.setup import SEVERITIES
from tocsin.core import config

SOURCE: Final = "monitor"
LONGEST: Final = 2_000


def clean(found: CheckResult) -> CheckResult:
    """A result that every database takes: checkers may be anybody's."""
    message = found.message[:LONGEST].replace("\0", "\N{REPLACEMENT CHARACTER}")
    metrics = {name: value for name, value in found.metrics.items() if math.isfinite(value)}
    return msgspec.structs.replace(found, message=message, metrics=metrics)


def judge(monitor: Monitor, found: CheckResult, at: datetime) -> AlertEvent | None:
    """Put down what was found; the alert that this makes, renews or ends, if any."""
    if found.status != monitor.last_status:
        monitor.since = at
    monitor.last_status, monitor.last_message, monitor.last_run_at = found.status, found.message, at
    monitor.recent = (monitor.recent + found.status[:1])[-Monitor.SHOWN :]
    if found.status == OK:
        monitor.passing_count, monitor.failing_count = monitor.passing_count + 1, 0
        return _recovered(monitor, found)
    monitor.passing_count, monitor.failing_count = 0, monitor.failing_count + 1
    if not monitor.firing and monitor.failing_count < monitor.failures:
        return None
    monitor.firing = True
    return _alert(monitor, found)


def ended(monitor: Monitor) -> AlertEvent | None:
    """The end of its alert, where there is one, as nothing is looked at any more."""
    if not monitor.firing:
        return None
    monitor.firing = False
    return _alert(monitor, CheckResult(monitor.checker, OK, monitor.last_message))


def _recovered(monitor: Monitor, found: CheckResult) -> AlertEvent | None:
    if not monitor.firing or monitor.passing_count < monitor.recoveries:
        return None
    monitor.firing = False
    return _alert(monitor, found)


def _alert(monitor: Monitor, found: CheckResult) -> AlertEvent:
    instance = monitor.host or config.instance_id()
    labels = {"instance": instance, **monitor.labels}
    labels |= {"alertname": monitor.name, "monitor": monitor.pk, "checker": monitor.checker}
    annotations = {"message": found.message}
    if found.metrics:
        annotations["metrics"] = msgspec.json.encode(found.metrics).decode()
    severities = SEVERITIES | monitor.severities
    return AlertEvent(
        labels=labels,
        status="resolved" if found.status == OK else "firing",
        name=monitor.name,
        severity=severities.get(found.status, "info"),
        annotations=annotations,
        generator_url=monitor.url,
        fingerprint=monitor.pk,
        reopens=True,
    )
