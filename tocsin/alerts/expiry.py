"""Alerts whose source fell silent: past ``expires_at`` they end, and the journal says why."""

from datetime import datetime

from tocsin.alerts import transition
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.core.ids import new_id
from tocsin.db import bulk

_DUE = """
    SELECT id, fingerprint, severity, source, episode, expires_at FROM alerts_alert
    WHERE expires_at <= %s AND status = 'firing' ORDER BY expires_at LIMIT %s"""
_COLUMNS = (
    "alert_id", "fingerprint", "kind", "severity", "source", "episode", "at", "received_at", "trace_id",
    "actor", "decision", "reason",
)  # fmt: skip


def expire(now: datetime, limit: int = 500) -> int:
    """End up to ``limit`` alerts that nobody has confirmed in time; return how many."""
    stamp = bulk.moment(now)
    if not bulk.fetch(_DUE, [stamp, 1]):
        return 0
    with bulk.transaction():
        due = bulk.fetch(_DUE + bulk.for_update(), [stamp, limit])
        ended = [("resolved", row[5], None, True, row[0]) for row in due]
        bulk.update(Alert, ("status", "ended_at", "expires_at", "timed_out"), ("id",), ended)
        rows = [
            (row[0], row[1], transition.EXPIRED, *row[2:6], stamp, new_id(), "", AlertHistory.PENDING, "")
            for row in due
        ]
        bulk.insert(AlertHistory, _COLUMNS, rows)
    return len(due)
