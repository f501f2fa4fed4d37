"""Correlation: journal entries in order, many at a time, set by set.

Runs inside the caller's transaction, so that the decision and what follows from it are one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from tocsin.alerts.correlate.grouping import Group
from tocsin.alerts.correlate.incidents import Bulletin, Live
from tocsin.alerts.correlate.rules import Rule, Rules
from tocsin.alerts.correlate.silencing import Hush, Silences
from tocsin.alerts.correlate.storm import Budgets, storm_of
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.alerts.news import ChangedAlert, News
from tocsin.alerts.transition import ACKNOWLEDGED, OPENING, SEVERITY
from tocsin.core import config
from tocsin.core.labels import encode
from tocsin.core.severity import RANK
from tocsin.db import bulk
from tocsin.db.alone import alone_with

FEWEST: Final = 200  # entries to read again
PATIENCE: Final = 0.1  # seconds; whoever waits has nothing better to do, and the other is at it for less
_LABELS = msgspec.json.Decoder(dict[str, str])
_PENDING_COLUMNS = (
    "h.id", "h.kind", "h.severity", "h.trace_id", "a.id", "a.incident_id", "a.fingerprint", "a.name",
    "a.labels", "a.annotations", "a.generator_url", "a.started_at", "h.at", "h.source",
    "a.silenced_by", "h.actor",
)  # fmt: skip
_PENDING = """
    FROM alerts_alerthistory h JOIN alerts_alert a ON a.id = h.alert_id
    WHERE h.decision = '' ORDER BY h.id LIMIT %s"""
_LIVE_COLUMNS = (
    "id", "live_key", "title", "status", "severity", "labels", "firing", "total", "trace_id", "opened_at",
    "resolved_at", "close_at", "told",
)  # fmt: skip
_NEW_COLUMNS = (
    "live_key", "title", "status", "severity", "labels", "firing", "total", "trace_id", "opened_at",
    "updated_at", "acknowledged_by", "resolved_at", "close_at", "told",
)  # fmt: skip
_TAKEN_ON = ("acknowledged_at", "acknowledged_by", "taken")
_CHANGING = ("status", "severity", "firing", "total", "updated_at", "resolved_at", "close_at", "told")


class Entry(msgspec.Struct, gc=False):
    """A journal entry with what correlation needs of its alert."""

    change: ChangedAlert
    trace_id: str
    alert_id: int
    incident_id: int | None
    group: Group
    source: str
    silenced_by: str
    rule: Rule


def pending(limit: int) -> list[Entry]:
    """The oldest journal entries that nobody has decided over."""
    rows = bulk.select(_PENDING_COLUMNS, _PENDING, [limit])
    if not rows:
        return []
    rules = Rules(row[15] for row in rows)
    return [_entry(row, rules) for row in rows]


def correlate(entries: Sequence[Entry], now: datetime) -> list[News]:
    """Decide over pending entries; return what people should hear of.

    One process at a time does it, as order matters within a group: the others wait a little, and decide
    over nothing that was decided over meanwhile. Call it in a transaction, with entries read shortly
    before it.
    """
    if not alone_with(AlertHistory, PATIENCE):
        return []
    if not _as_read(entries):
        entries = pending(max(FEWEST, len(entries)))
    if not entries:
        return []
    close_after = timedelta(seconds=config.number("TOCSIN_CLOSE_AFTER"))
    budgets = Budgets((entry.rule for entry in entries if entry.change.kind in OPENING), now)
    incidents = _Incidents(entries, budgets)
    bulletin = Bulletin()
    hush = Hush(Silences.in_force(now))
    decided: list[_Decided] = []
    for entry in entries:
        incident = incidents.of(entry, now)
        if incident is None:
            hush.forget(entry.alert_id, entry.silenced_by)
            gone = "the incident it belonged to is closed or gone"
            decided.append(_Decided(entry, None, AlertHistory.IGNORED, gone))
            continue
        before, severity = incident.status, incident.severity
        reason = incident.apply(entry.change, entry.source, now, close_after)
        decision = AlertHistory.GROUPED
        if entry.change.kind != ACKNOWLEDGED:
            owed = incident.told and incident.status != before
            silent = hush.over(entry.alert_id, entry.silenced_by, entry.change, owed)
            if silent:
                decision, reason = AlertHistory.SILENCED, f"{reason}; {silent}"
            elif incident.quiet_about(entry.change, before, severity):
                decision = AlertHistory.FOLDED
            else:
                bulletin.add(incident, entry.change, entry.trace_id, before)
        decided.append(_Decided(entry, incident, decision, reason))
    incidents.store(now)
    budgets.store()
    _record(decided, incidents.joined)
    bulk.update(Alert, ("silenced_by",), ("id",), [(silence, alert) for alert, silence in hush.moved()])
    return list(bulletin.news())


def _as_read(entries: Sequence[Entry]) -> bool:
    """Whether exactly these are still the oldest that wait. A commit that took its time may have put
    entries before them, and another process may have decided over some."""
    found = bulk.select(("h.id",), _PENDING, [len(entries)])
    return [row[0] for row in found] == [entry.change.history_id for entry in entries]


def _entry(row: bulk.Row, rules: Rules) -> Entry:
    rule = rules.of(row[15], row[13])
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
    group = rules.group(row[7], row[2], labels, rule)
    return Entry(change, row[3], row[4], row[5], group, row[13], row[14], rule)


class _Incidents:
    """The live incidents that a batch of entries touches."""

    def __init__(self, entries: Sequence[Entry], budgets: Budgets) -> None:
        self._budgets = budgets
        self._storms = {rule.payer: storm_of(rule) for rule in {entry.rule for entry in entries}}
        storm_keys = {storm.key for storm in self._storms.values()}
        by_key, params = bulk.among("live_key", storm_keys | {entry.group.key for entry in entries})
        by_id, ids = bulk.among("id", {entry.incident_id for entry in entries if entry.incident_id})
        lock = bulk.for_update()
        head = "FROM alerts_incident WHERE"
        found = bulk.select(_LIVE_COLUMNS, f"{head} {by_key}{lock}", params)
        if ids and ids != ["[]"]:
            found += bulk.select(_LIVE_COLUMNS, f"{head} live_key IS NOT NULL AND {by_id}{lock}", ids)
        self._by_key: dict[str, Live] = {}
        self._by_id: dict[int, Live] = {}
        for row in found:
            if row[0] not in self._by_id:
                self._by_id[row[0]] = self._by_key[row[1]] = _live(row, row[1] in storm_keys)
        self.joined: dict[int, Live] = {}  # by alert
        self._closed = _severities(
            entry.incident_id
            for entry in entries
            if entry.change.kind == SEVERITY and entry.incident_id and entry.incident_id not in self._by_id
        )

    def of(self, entry: Entry, now: datetime) -> Live | None:
        """The incident a change belongs to, opened where it needs a new one."""
        if entry.change.kind not in OPENING:
            found = self.joined.get(entry.alert_id) or self._by_id.get(entry.incident_id or 0)
            if found or not self._grew_worse(entry):
                return found
        incident = self._by_key.get(entry.group.key)
        if incident is None and not self._budgets.spend(entry.rule):
            incident = self._storm(entry, now)
        elif incident is None:
            incident = Live.opened(entry.group, entry.change, entry.trace_id, now)
            self._by_key[entry.group.key] = incident
        self.joined[entry.alert_id] = incident
        return incident

    def _grew_worse(self, entry: Entry) -> bool:
        """Whether an alert is worse now than an incident that people thought to be over, and that closed."""
        before = self._closed.get(entry.incident_id or 0)
        return before is not None and RANK[entry.change.severity] > RANK[before]

    def _storm(self, entry: Entry, now: datetime) -> Live:
        group = self._storms[entry.rule.payer]
        incident = self._by_key.get(group.key)
        if incident is None:
            incident = Live.opened(group, entry.change, entry.trace_id, now)
            incident.storm = True
            self._by_key[group.key] = incident
        return incident

    def store(self, now: datetime) -> None:
        """Write what changed, and learn the numbers of new incidents."""
        stamp = bulk.moment(now)
        new = [incident for incident in self._by_key.values() if not incident.id]
        bulk.insert(Incident, _NEW_COLUMNS, [_new_row(incident, stamp) for incident in new])
        if new:
            where, params = bulk.among("live_key", [incident.key for incident in new])
            stored = bulk.select(("id", "live_key"), f"FROM alerts_incident WHERE {where}", params)
            for number, key in stored:
                self._by_key[key].id = number
        new_ids = {incident.id for incident in new}
        changed = [i for i in self._by_id.values() if i.changed and i.id not in new_ids]
        bulk.update(Incident, _CHANGING, ("id",), [_changed_row(incident, stamp) for incident in changed])
        taken_on = [
            (bulk.moment(at), by, bool(by), incident.id)
            for incident in self._by_key.values()
            if incident.taken_on
            for at, by in [incident.taken_on]
        ]
        bulk.update(Incident, _TAKEN_ON, ("id",), taken_on)


def _severities(incident_ids: Iterable[int | None]) -> dict[int, str]:
    ids = set(incident_ids)
    if not ids:
        return {}
    where, params = bulk.among("id", ids)
    return dict(bulk.select(("id", "severity"), f"FROM alerts_incident WHERE {where}", params))


def _live(row: bulk.Row, storm: bool) -> Live:
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
        told=bool(row[12]),
        storm=storm,
    )


def _new_row(incident: Live, stamp: Any) -> bulk.Row:
    return (
        incident.key, incident.title, incident.status, incident.severity, encode(incident.labels).decode(),
        incident.firing, incident.total, incident.trace_id, bulk.moment(incident.opened_at), stamp, "",
        bulk.moment(incident.resolved_at), bulk.moment(incident.close_at), incident.told,
    )  # fmt: skip


def _changed_row(incident: Live, stamp: Any) -> bulk.Row:
    return (
        incident.status, incident.severity, incident.firing, incident.total, stamp,
        bulk.moment(incident.resolved_at), bulk.moment(incident.close_at), incident.told,
        incident.id,
    )  # fmt: skip


class _Decided(NamedTuple):
    entry: Entry
    incident: Live | None
    decision: str
    reason: str


def _record(decided: list[_Decided], joined: dict[int, Live]) -> None:
    bulk.update(Alert, ("incident_id",), ("id",), [(live.id, alert) for alert, live in joined.items()])
    rows: list[bulk.Row] = []
    for entry, incident, decision, reason in decided:
        number = incident.id if incident else None
        told = reason.replace("{id}", str(number)).replace("{group}", entry.group.described)
        rows.append((number, decision, told, entry.change.history_id))
    bulk.update(AlertHistory, ("incident_id", "decision", "reason"), ("id",), rows)
