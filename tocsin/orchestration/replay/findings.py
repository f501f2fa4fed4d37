"""What a rerun left in its database, told; what is told and not needed any more is let go of."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from tocsin.alerts.models import AlertHistory
from tocsin.alerts.transition import ENDING, OPENING, SEVERITY
from tocsin.db import bulk
from tocsin.orchestration.replay.lines import Answer, Hid, Joined, Opened, Told
from tocsin.orchestration.replay.places import recorded

FAILED: Final = "failed"
_HIDING: Final = frozenset({AlertHistory.SILENCED, AlertHistory.FOLDED, AlertHistory.IGNORED})
_MOVING: Final = OPENING | {SEVERITY}
_ENTRIES: Final = """
    FROM alerts_alerthistory h LEFT JOIN alerts_alert a ON a.id = h.alert_id
    WHERE h.id > %s AND h.decision <> '' AND h.decision <> 'action' ORDER BY h.id LIMIT %s"""
_ENTRY: Final = (
    "h.id", "h.kind", "h.incident_id", "h.decision", "h.reason", "h.fingerprint", "h.episode",
    "h.received_at", "a.name", "a.labels",
)  # fmt: skip
_MESSAGE: Final = (
    "d.created_at", "c.name", "d.incident_id", "i.title", "d.kind", "r.reason", "r.changes",
)  # fmt: skip
_MESSAGES: Final = """
    FROM notify_delivery d JOIN notify_notificationchannel c ON c.id = d.channel_id
    JOIN orchestration_pipelinerun r ON r.run_id = d.run_id JOIN alerts_incident i ON i.id = d.incident_id
    ORDER BY d.id"""
_INCIDENT: Final = ("id", "title", "severity", "status", "opened_at", "resolved_at", "total")
_FAILED: Final = "SELECT changes, last_error FROM orchestration_pipelinerun WHERE state = 'FAILED'"
_OVER: Final = "SELECT run_id FROM orchestration_pipelinerun WHERE due_at IS NULL"
_LET_GO: Final = (
    "DELETE FROM notify_delivery",
    f"DELETE FROM orchestration_stageexecution WHERE run_id IN ({_OVER})",  # noqa: S608
    "DELETE FROM orchestration_pipelinerun WHERE due_at IS NULL",
)
_NUMBER: Final = re.compile(r"incident #\d+")
_AT_A_TIME: Final = 2_000
_numbers = msgspec.json.Decoder(list[int])
_labels = msgspec.json.Decoder(dict[str, str])


class Findings:
    """What came of the entries since it was asked last. What was told ``since`` counts."""

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._told = 0  # the last entry that was

    def collect(self) -> Iterator[Answer]:
        """All that is new."""
        while rows := bulk.select(_ENTRY, _ENTRIES, [self._told, _AT_A_TIME]):
            self._told = rows[-1][0]
            for row in rows:
                yield from self._entry(row)
        yield from self._messages()
        yield from self._failures()
        for sql in _LET_GO:
            bulk.execute(sql, [])

    def _entry(self, row: bulk.Row) -> Iterator[Answer]:
        entry, at = recorded(row[0]), bulk.read_moment(row[7])
        counts = at is not None and at >= self._since
        if entry is not None and row[1] in _MOVING and row[2] is not None:
            yield Joined(entry, row[2], _called(row[8] or "", row[9] or "{}"), counts)
        if counts and (row[3] in _HIDING or row[1] in ENDING):
            yield Hid(_name(row[0], row[1], row[5], row[6]), row[3], _NUMBER.sub("its incident", row[4]))

    def _messages(self) -> Iterator[Answer]:
        rows = bulk.select(_MESSAGE, _MESSAGES)
        changes = [_numbers.decode(row[6]) for row in rows]
        names = _names(number for some in changes for number in some)
        for row, some in zip(rows, changes, strict=True):
            at = bulk.read_moment(row[0])
            assert at is not None
            if at >= self._since:
                about = [names[number] for number in some if number in names]
                yield Told(at, row[1], row[2], row[3], row[4], row[5], about)

    def _failures(self) -> Iterator[Answer]:
        failed = [(_numbers.decode(changes), why) for changes, why in bulk.fetch(_FAILED)]
        names = _names(number for some, _ in failed for number in some)
        for some, why in failed:
            yield from (Hid(names[number], FAILED, why) for number in some if number in names)

    def incidents(self) -> Iterator[Opened]:
        """Those there were, as they ended."""
        last, moment = 0, bulk.read_moment
        rest = "FROM alerts_incident WHERE id > %s ORDER BY id LIMIT %s"
        while rows := bulk.select(_INCIDENT, rest, [last, _AT_A_TIME]):
            last = rows[-1][0]
            for row in rows:
                opened_at = moment(row[4])
                assert opened_at is not None
                yield Opened(row[0], row[1], row[2], row[3], opened_at, moment(row[5]), row[6])


def _names(numbers: Iterable[int]) -> Mapping[int, str]:
    """Entries by their numbers here, as the other rerun names them too."""
    found, made = {}, []
    for number in numbers:
        entry = recorded(number)
        if entry is None:
            made.append(number)
        else:
            found[number] = str(entry)
    if made:
        where, params = bulk.among("id", made)
        columns = ("id", "kind", "fingerprint", "episode", "actor")
        for row in bulk.select(columns, f"FROM alerts_alerthistory WHERE {where}", params):
            found[row[0]] = _name(row[0], row[1], row[2] or row[4], row[3])
    return found


def _name(number: int, kind: str, whose: str, episode: int) -> str:
    entry = recorded(number)
    return f"{kind} {whose} {episode}" if entry is None else str(entry)


def _called(name: str, labels: str) -> str:
    """An alert as people know it."""
    found: Any = _labels.decode(labels)
    where = found.get("instance") or found.get("hostname") or found.get("host")
    return f"{name} on {where}" if where else name
