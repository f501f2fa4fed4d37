"""Silences that ended: alerts that still fire, and of which nobody was told, are told of now.

It goes through the journal, as a change like any other, so that it is explained and survives a crash.
"""

from datetime import datetime

from tocsin.alerts import transition
from tocsin.alerts.models import AlertHistory, Silence
from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.db.alone import alone_with

# Alerts with a change that waits are left alone: what came before must be decided over first.
_DUE = """
    SELECT a.id, a.fingerprint, a.severity, a.source, a.episode FROM alerts_alert a
    WHERE a.silenced_by > '' AND a.status = 'firing'
    AND NOT EXISTS (SELECT 1 FROM alerts_silence s
        WHERE s.id = a.silenced_by AND s.starts_at <= %s AND s.ends_at > %s)
    AND NOT EXISTS (SELECT 1 FROM alerts_alerthistory h WHERE h.alert_id = a.id AND h.decision = '')
    ORDER BY a.id LIMIT %s"""
_COLUMNS = (
    "alert_id", "fingerprint", "kind", "severity", "source", "episode", "at", "received_at", "trace_id",
    "actor", "decision", "reason",
)  # fmt: skip


def unsilence(now: datetime, limit: int = 500) -> int:
    """Journal up to ``limit`` alerts whose silence is over; return how many."""
    stamp = bulk.moment(now)
    if not bulk.fetch(_DUE, [stamp, stamp, 1]):
        return 0
    with bulk.transaction():
        if not alone_with(Silence, 0):  # a lock on the alerts would not show what another has just journaled
            return 0
        due = bulk.fetch(_DUE + bulk.for_update(), [stamp, stamp, limit])
        rows = [
            (row[0], row[1], transition.UNSILENCED, *row[2:5], stamp, stamp, new_id(), "",
             AlertHistory.PENDING, "")
            for row in due
        ]  # fmt: skip
        bulk.insert(AlertHistory, _COLUMNS, rows)
    return len(due)
