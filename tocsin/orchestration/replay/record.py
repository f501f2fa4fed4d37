"""What happened, read from the journal of a database that is at work: a few rows at a time, by primary key,
each read a transaction of its own."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from tocsin.alerts.intake.journal import LATE, NO_OPEN_ALERT, NOT_FIRING
from tocsin.alerts.models import AlertHistory
from tocsin.alerts.transition import ENDING, OPENING, SEVERITY, UNSILENCED
from tocsin.checkers.services import ALONE
from tocsin.db import bulk
from tocsin.orchestration.replay.lines import Act, Change

AT_A_TIME: Final = 500
_KEYS: Final = 5_000  # that one read of a thinly filled table may pass over
_NEVER_DECIDED: Final = frozenset({NO_OPEN_ALERT, NOT_FIRING, LATE, ALONE})
_ACTS: Final = frozenset({"acknowledged", "unacknowledged", "resolved"})
_OPENERS: Final = ", ".join(f"'{kind}'" for kind in sorted(OPENING))
_COLUMNS: Final = (
    "h.id", "h.alert_id", "h.fingerprint", "h.kind", "h.severity", "h.source", "h.episode", "h.at",
    "h.received_at", "h.trace_id", "h.actor", "a.name", "a.labels", "a.annotations", "a.generator_url",
    "h.incident_id", "h.decision", "h.reason",
)  # fmt: skip
_JOURNAL: Final = "FROM alerts_alerthistory h LEFT JOIN alerts_alert a ON a.id = h.alert_id"
_ACT_OF: Final = f"""
    FROM alerts_alerthistory WHERE incident_id = %s AND id < %s AND alert_id IS NOT NULL
    AND kind IN ({_OPENERS}) ORDER BY id DESC LIMIT 1"""
_LIVE: Final = """
    FROM alerts_incident WHERE id > %s AND id <= %s AND opened_at < %s
    AND (closed_at IS NULL OR closed_at >= %s) ORDER BY id"""
_SENT: Final = """
    SELECT c.name, COUNT(*) FROM notify_delivery d JOIN notify_notificationchannel c ON c.id = d.channel_id
    WHERE {among} AND d.stage > '' AND d.created_at >= %s AND d.created_at < %s GROUP BY c.name"""
Line = Change | Act


class Recorded(msgspec.Struct):
    """What was on record: how much was read, and what came of it then."""

    since: datetime
    until: datetime
    begins: datetime | None = None  # the first entry there is
    entries: int = 0
    passed_over: int = 0  # their alert is gone, or an act's
    acts: int = 0
    incidents: int = 0
    messages: dict[str, int] = {}


class _Row(NamedTuple):
    line: Change | None
    id: int
    kind: str
    received_at: datetime
    actor: str
    incident: int | None
    decision: str
    reason: str


class Record:
    """The journal between two moments, with what led to the incidents that were live at its beginning."""

    def __init__(self, since: datetime, until: datetime) -> None:
        self.found = Recorded(since, until)
        self._since, self._until = since, until
        self._incidents: set[int] = set()
        self._live: set[int] = set()

    def lines(self) -> Iterator[Line]:
        """What happened, in order. Afterwards ``found`` tells of all of it."""
        first = self._first()
        yield from self._before(first)
        yield from self._window(first)
        opened = self._incidents - self._live
        self.found.incidents = len(opened)
        self.found.messages = self._messages()

    def earliest(self) -> datetime:
        """When the oldest incident that is live at the beginning was opened; the beginning where none is."""
        found = (min(bulk.read_moment(row[1]) or self._since for row in rows) for rows in self._live_rows())
        return min(found, default=self._since)

    def _first(self) -> int:
        """The first entry of the time, found by halves: entries are numbered in the order they came in."""
        rows = bulk.fetch("SELECT MIN(id), MAX(id) FROM alerts_alerthistory")
        low, high = rows[0]
        if low is None:
            return 0
        self.found.begins = self._came(low)
        while low < high:
            middle = (low + high) // 2
            came = self._came(middle)
            if came is not None and came < self._since:
                low = middle + 1
            else:
                high = middle
        return max(0, int(low) - AT_A_TIME)  # those that came at once may stand in another order

    def _came(self, entry: int) -> datetime | None:
        sql = "SELECT received_at FROM alerts_alerthistory WHERE id >= %s ORDER BY id LIMIT 1"
        rows = bulk.fetch(sql, [entry])
        return bulk.read_moment(rows[0][0]) if rows else None

    def _window(self, first: int) -> Iterator[Line]:
        last = first - 1
        while rows := _rows(f"{_JOURNAL} WHERE h.id > %s ORDER BY h.id LIMIT %s", [last, AT_A_TIME]):
            last = rows[-1].id
            for row in rows:
                if self._since <= row.received_at < self._until and (line := self._line(row)):
                    yield line
            if all(row.received_at >= self._until for row in rows):
                return

    def _line(self, row: _Row) -> Line | None:
        """How an entry is played: not at all where it was never decided over, or where time makes it."""
        if row.decision == AlertHistory.ACTION:
            return self._act(row) if row.kind in _ACTS else None
        if row.kind == UNSILENCED or row.decision == AlertHistory.IGNORED and row.reason in _NEVER_DECIDED:
            return None
        self.found.entries += 1
        if row.incident is not None and (row.kind in OPENING or row.kind == SEVERITY):
            self._incidents.add(row.incident)
        if row.line is None:
            self.found.passed_over += 1
        return row.line

    def _act(self, row: _Row) -> Act | None:
        alerts = bulk.select(("alert_id",), _ACT_OF, [row.incident, row.id]) if row.incident else []
        if not alerts:
            self.found.passed_over += 1
            return None
        self.found.acts += 1
        return Act(row.kind, alerts[0][0], row.actor, row.received_at)

    def _before(self, first: int) -> Iterator[Line]:
        """What made the incidents that were live at the beginning as they were: the beginnings of alerts that
        fired, and what people did."""
        kept: list[tuple[int, Line]] = []
        for rows in self._live_rows():
            for incident, _ in rows:
                self._live.add(incident)
                kept += self._led_to(incident)
        kept.sort(key=lambda pair: pair[0])
        yield from (line for _, line in kept)

    def _live_rows(self) -> Iterator[list[tuple[int, str]]]:
        largest = bulk.fetch("SELECT MAX(id) FROM alerts_incident")[0][0] or 0
        since = bulk.moment(self._since)
        for low in range(0, largest, _KEYS):
            if rows := bulk.select(("id", "opened_at"), _LIVE, [low, low + _KEYS, since, since]):
                yield [(row[0], row[1]) for row in rows]

    def _led_to(self, incident: int) -> list[tuple[int, Line]]:
        state, last = _State(), 0
        rest = f"{_JOURNAL} WHERE h.incident_id = %s AND h.id > %s ORDER BY h.id LIMIT %s"
        while rows := _rows(rest, [incident, last, AT_A_TIME]):
            last = rows[-1].id
            for row in rows:
                if row.received_at >= self._since:
                    return state.lines()
                if row.decision == AlertHistory.ACTION and row.kind in _ACTS and (act := self._act(row)):
                    state.act = row.id, act
                elif row.line is not None and row.decision != AlertHistory.ACTION:
                    state.take(row.line)
        return state.lines()

    def _messages(self) -> dict[str, int]:
        """How many runs asked for about these incidents, by channel."""
        told: Counter[str] = Counter()
        stamps = [bulk.moment(self._since), bulk.moment(self._until)]
        for some in _chunks(sorted(self._incidents | self._live)):
            where, params = bulk.among("d.incident_id", some)
            for channel, count in bulk.fetch(_SENT.replace("{among}", where), [*params, *stamps]):
                told[channel] += count
        return dict(sorted(told.items()))


class _State:
    """An incident's alerts as they stood: what made each fire, or what ended the last."""

    def __init__(self) -> None:
        self._firing: dict[int, list[Change]] = {}
        self._ended: list[Change] = []
        self.act: tuple[int, Act] | None = None  # the last thing that a person did

    def take(self, line: Change) -> None:
        if line.kind in OPENING:
            self._firing[line.alert_id] = [line]
        elif line.kind in ENDING:
            self._ended = [*self._firing.pop(line.alert_id, ()), line]
        elif line.kind != UNSILENCED and line.alert_id in self._firing:
            self._firing[line.alert_id] = [*self._firing[line.alert_id][:1], line]

    def lines(self) -> list[tuple[int, Line]]:
        firing = [line for lines in self._firing.values() for line in lines] or self._ended
        found: list[tuple[int, Line]] = [(line.id, line) for line in firing]
        return [*found, self.act] if self.act else found


def _rows(rest: str, params: list[object]) -> list[_Row]:
    return [_row(row) for row in bulk.select(_COLUMNS, rest, params)]


def _row(row: bulk.Row) -> _Row:
    at, received_at = bulk.read_moment(row[7]), bulk.read_moment(row[8])
    assert at is not None and received_at is not None
    line = None
    if row[1] is not None and row[11] is not None:
        line = Change(
            row[0], row[1], row[2], row[3], row[4], row[5], row[6], at, received_at, row[9], row[10], row[11],
            row[12], row[13], row[14],
        )  # fmt: skip
    return _Row(line, row[0], row[3], received_at, row[10], row[15], row[16], row[17])


def _chunks(keys: list[int]) -> Iterable[list[int]]:
    return (keys[place : place + AT_A_TIME] for place in range(0, len(keys), AT_A_TIME))
