"""Correlation: journal entries in order, many at a time, set by set.

Runs inside the caller's transaction, so that the decision and what follows from it are one.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db import OperationalError

from tocsin.alerts.correlate.grouping import Group, group_of
from tocsin.alerts.correlate.incidents import Bulletin, Live
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.alerts.news import ChangedAlert, News
from tocsin.alerts.transition import OPENING
from tocsin.core import config
from tocsin.core.labels import encode
from tocsin.db import bulk

_LABELS = msgspec.json.Decoder(dict[str, str])
_PENDING = """
    SELECT h.id, h.kind, h.severity, h.trace_id, a.id, a.incident_id, a.fingerprint, a.name, a.labels,
           a.annotations, a.generator_url, a.started_at, h.at
    FROM alerts_alerthistory h JOIN alerts_alert a ON a.id = h.alert_id
    WHERE h.decision = '' ORDER BY h.id LIMIT %s"""
_LIVE_COLUMNS = (
    "id, live_key, title, status, severity, labels, firing, total, trace_id, opened_at, resolved_at, close_at"
)
_NEW_COLUMNS = (
    "live_key", "title", "status", "severity", "labels", "firing", "total", "trace_id", "opened_at",
    "updated_at", "acknowledged_by", "resolved_at", "close_at",
)  # fmt: skip
_CHANGING = ("status", "severity", "firing", "total", "updated_at", "resolved_at", "close_at")


class Entry(msgspec.Struct, gc=False):
    """A journal entry with what correlation needs of its alert."""

    change: ChangedAlert
    trace_id: str
    alert_id: int
    incident_id: int | None
    group: Group


def pending(limit: int) -> list[Entry]:
    """The oldest journal entries that nobody has decided over."""
    return [_entry(row) for row in bulk.fetch(_PENDING, [limit])]


def correlate(entries: Sequence[Entry], now: datetime) -> list[News]:
    """Decide over pending entries; return what people should hear of.

    One process at a time does it, as order matters within a group: the others find nothing to do.
    Call it in a transaction, with entries read shortly before it.
    """
    if not _still_first(entries):
        return []
    close_after = timedelta(seconds=config.number("TOCSIN_CLOSE_AFTER"))
    incidents = _Incidents(entries)
    bulletin = Bulletin()
    decided: list[tuple[Entry, Live | None, str]] = []
    for entry in entries:
        incident = incidents.of(entry, now)
        if incident is None:
            decided.append((entry, None, "the incident it belonged to is closed or gone"))
            continue
        before = incident.status
        reason = incident.apply(entry.change, now, close_after)
        decided.append((entry, incident, reason))
        bulletin.add(incident, entry.change, entry.trace_id, before)
    incidents.store(now)
    _record(decided, incidents.joined)
    return list(bulletin.news())


def _still_first(entries: Sequence[Entry]) -> bool:
    """Whether these are still the oldest that wait, and nobody else is at it."""
    first, last = entries[0].change.history_id, entries[-1].change.history_id
    sql = "SELECT id FROM alerts_alerthistory WHERE decision = '' AND id <= %s ORDER BY id LIMIT 1"
    try:
        found = bulk.fetch(sql + bulk.for_update(nowait=True), [last])
    except OperationalError:  # another process holds the first
        return False
    return bool(found) and found[0][0] == first


def _entry(row: tuple[Any, ...]) -> Entry:
    labels = _LABELS.decode(row[8])
    happened = bulk.read_moment(row[12])
    opening = row[1] in OPENING
    change = ChangedAlert(
        history_id=row[0],
        kind=row[1],
        fingerprint=row[6],
        name=row[7],
        severity=row[2],
        labels=labels,
        annotations=_LABELS.decode(row[9]),
        generator_url=row[10],
        started_at=happened if opening else bulk.read_moment(row[11]),  # type: ignore[arg-type]
        ended_at=happened if row[1] in ("resolved", "expired") else None,
    )
    return Entry(change, row[3], row[4], row[5], group_of(row[7], labels, settings.GROUP_BY))


class _Incidents:
    """The live incidents that a batch of entries touches."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        by_key, params = bulk.among("live_key", {entry.group.key for entry in entries})
        by_id, ids = bulk.among("id", {entry.incident_id for entry in entries if entry.incident_id})
        lock = bulk.for_update()
        head = f"SELECT {_LIVE_COLUMNS} FROM alerts_incident WHERE"  # noqa: S608
        found = bulk.fetch(f"{head} {by_key}{lock}", params)
        if ids and ids != ["[]"]:
            found += bulk.fetch(f"{head} live_key IS NOT NULL AND {by_id}{lock}", ids)
        self._by_key: dict[str, Live] = {}
        self._by_id: dict[int, Live] = {}
        for row in found:
            if row[0] not in self._by_id:
                self._by_id[row[0]] = self._by_key[row[1]] = _live(row)
        self.joined: dict[int, Live] = {}  # by alert

    def of(self, entry: Entry, now: datetime) -> Live | None:
        """The incident a change belongs to, opened where it needs a new one."""
        if entry.change.kind not in OPENING:
            return self.joined.get(entry.alert_id) or self._by_id.get(entry.incident_id or 0)
        incident = self._by_key.get(entry.group.key)
        if incident is None:
            incident = Live.opened(entry.group, entry.change, entry.trace_id, now)
            self._by_key[entry.group.key] = incident
        self.joined[entry.alert_id] = incident
        return incident

    def store(self, now: datetime) -> None:
        """Write what changed, and learn the numbers of new incidents."""
        stamp = bulk.moment(now)
        new = [incident for incident in self._by_key.values() if not incident.id]
        bulk.insert(Incident, _NEW_COLUMNS, [_new_row(incident, stamp) for incident in new])
        if new:
            where, params = bulk.among("live_key", [incident.key for incident in new])
            for number, key in bulk.fetch(f"SELECT id, live_key FROM alerts_incident WHERE {where}", params):  # noqa: S608
                self._by_key[key].id = number
        new_ids = {incident.id for incident in new}
        changed = [i for i in self._by_id.values() if i.changed and i.id not in new_ids]
        bulk.update(Incident, _CHANGING, ("id",), [_changed_row(incident, stamp) for incident in changed])


def _live(row: tuple[Any, ...]) -> Live:
    moment = bulk.read_moment
    opened_at = moment(row[9])
    assert opened_at is not None
    return Live(
        id=row[0],
        key=row[1],
        title=row[2],
        status=row[3],
        severity=row[4],
        labels=_LABELS.decode(row[5]),
        firing=row[6],
        total=row[7],
        trace_id=row[8],
        opened_at=opened_at,
        resolved_at=moment(row[10]),
        close_at=moment(row[11]),
    )


def _new_row(incident: Live, stamp: Any) -> bulk.Row:
    return (
        incident.key, incident.title, incident.status, incident.severity, encode(incident.labels).decode(),
        incident.firing, incident.total, incident.trace_id, bulk.moment(incident.opened_at), stamp, "",
        bulk.moment(incident.resolved_at), bulk.moment(incident.close_at),
    )  # fmt: skip


def _changed_row(incident: Live, stamp: Any) -> bulk.Row:
    return (
        incident.status, incident.severity, incident.firing, incident.total, stamp,
        bulk.moment(incident.resolved_at), bulk.moment(incident.close_at), incident.id,
    )  # fmt: skip


def _record(decided: list[tuple[Entry, Live | None, str]], joined: dict[int, Live]) -> None:
    bulk.update(Alert, ("incident_id",), ("id",), [(live.id, alert) for alert, live in joined.items()])
    rows: list[bulk.Row] = []
    for entry, incident, reason in decided:
        if incident is None:
            rows.append((None, AlertHistory.IGNORED, reason, entry.change.history_id))
            continue
        told = reason.replace("{id}", str(incident.id)).replace("{group}", entry.group.described)
        rows.append((incident.id, AlertHistory.GROUPED, told, entry.change.history_id))
    bulk.update(AlertHistory, ("incident_id", "decision", "reason"), ("id",), rows)
