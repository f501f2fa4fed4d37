"""What a change does to an incident. Values in, values out; ``step.py`` reads and writes them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from tocsin.alerts import transition
from tocsin.alerts.correlate.grouping import Group
from tocsin.alerts.models import Incident
from tocsin.alerts.news import ChangedAlert, News
from tocsin.core.severity import RANK


class Live(msgspec.Struct):
    """An incident that alerts may join, as it is while changes are applied to it."""

    id: int  # 0 until it is stored
    key: str
    title: str
    status: str
    severity: str
    labels: dict[str, str]
    firing: int
    total: int
    trace_id: str
    opened_at: datetime
    resolved_at: datetime | None = None
    close_at: datetime | None = None
    changed: bool = False
    taken_on: tuple[datetime | None, str] | None = None  # when and by whom, where that changes
    told: bool = False  # whether people know that it is open
    storm: bool = False  # it takes what is above a source's budget

    @classmethod
    def opened(cls, group: Group, change: ChangedAlert, trace_id: str, now: datetime) -> "Live":
        """A new incident."""
        return cls(
            id=0,
            key=group.key,
            title=group.title,
            status=Incident.OPEN,
            severity=change.severity,
            labels=group.labels,
            firing=0,
            total=0,
            trace_id=trace_id,
            opened_at=min(change.started_at, now),
        )

    def apply(self, change: ChangedAlert, source: str, now: datetime, close_after: timedelta) -> str:
        """Take one change in; return the decision in words, with ``{id}`` for the incident's number."""
        self.changed = True
        worse = RANK[change.severity] > RANK[self.severity]
        if worse:
            self.severity = change.severity
        if change.kind in transition.OPENING:
            return self._folded() if self.storm else self._fired()
        if change.kind in transition.ENDING:
            return self._ended(change, now, close_after)
        if change.kind == transition.ACKNOWLEDGED:
            return self._acknowledged(source, now)
        if change.kind == transition.UNSILENCED:
            return self._unsilenced()
        return self._moved(change.severity, worse)

    def _moved(self, severity: str, worse: bool) -> str:
        """Of an alert that people had resolved they hear again when it grows worse."""
        if not self.total:
            self._fired()
            return "opened incident #{id}: it is worse now than the one before, which people had resolved"
        if worse and self.status == Incident.RESOLVED:
            self._reopen()
            return f"reopened incident #{{id}}, resolved shortly before: it is {severity} now"
        return f"severity is now {severity}, in incident #{{id}}"

    def _acknowledged(self, source: str, now: datetime) -> str:
        if self.status != Incident.OPEN:
            return f"acknowledged at its source; incident #{{id}} is {self.status} already"
        self.status, self.taken_on = Incident.ACKNOWLEDGED, (now, source)
        return "acknowledged at its source, and so is incident #{id}"

    def _unsilenced(self) -> str:
        if self.status == Incident.RESOLVED:
            return "its silence is over; incident #{id} was resolved before, so no message"
        return "its silence is over, and it still fires, in incident #{id}"

    def _fired(self) -> str:
        self.firing += 1
        self.total += 1
        if self.total == 1:
            return "opened incident #{id}: no live one has {group}"
        if self.status == Incident.RESOLVED:
            self._reopen()
            return "reopened incident #{id}, resolved shortly before, for {group}"
        return "joined incident #{id}, which has the same {group}"

    def _reopen(self) -> None:
        self.status, self.resolved_at, self.close_at = Incident.OPEN, None, None
        self.taken_on = None, ""  # who took it on then has not done so now

    def _folded(self) -> str:
        self._fired()
        return "folded into storm incident #{id}: its source has opened as many others as its budget allows"

    def quiet_about(self, change: ChangedAlert, before: str, severity: str) -> bool:
        """Whether a storm, of which people know, makes this not worth telling."""
        same = self.status == before and self.severity == severity
        return self.storm and self.told and same and change.kind not in transition.ENDING

    def _ended(self, change: ChangedAlert, now: datetime, close_after: timedelta) -> str:
        self.firing = max(0, self.firing - 1)
        how = "expired: its source fell silent" if change.kind == transition.EXPIRED else "ended"
        if self.firing:
            return f"{how}; {self.firing} other alerts of incident #{{id}} still fire, so no message"
        if self.status == Incident.RESOLVED:
            return f"{how}; incident #{{id}} was resolved before"
        self.status = Incident.RESOLVED
        self.resolved_at = max(self.opened_at, change.ended_at or now)
        self.close_at = now + close_after
        return f"{how}; the last firing alert of incident #{{id}}, which is resolved"


class _Part(msgspec.Struct):
    """Changes of one incident while its status stayed the same."""

    incident: Live
    status: str
    trace_id: str
    firing: int = 0
    total: int = 0
    changes: list[ChangedAlert] = []


class Bulletin:
    """Collects what people should hear: changes of one incident share a run until its status turns."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._open: dict[int, _Part] = {}

    def add(self, incident: Live, change: ChangedAlert, trace_id: str, before: str) -> None:
        """Tell of a change that was just applied, unless people need not hear of it: other alerts
        still fire, or the incident was resolved ``before``."""
        over = change.kind in transition.ENDING or incident.status == Incident.RESOLVED
        if over and incident.status == before:
            return
        incident.told = incident.status != Incident.RESOLVED
        part = self._open.get(id(incident))
        if part is None or part.status != incident.status:
            part = self._open[id(incident)] = _Part(incident, incident.status, trace_id)
            self._parts.append(part)
        part.changes.append(change)
        part.firing, part.total = incident.firing, incident.total

    def news(self) -> Iterable[News]:
        """Everything collected, in order; the incidents must have been stored."""
        for part in self._parts:
            incident = part.incident
            yield News(
                incident_id=incident.id,
                title=incident.title,
                status=part.status,
                severity=incident.severity,
                labels=incident.labels,
                firing=part.firing,
                total=part.total,
                opened_at=incident.opened_at,
                trace_id=part.trace_id,
                reason=part.changes[0].kind,
                changes=part.changes,
            )
