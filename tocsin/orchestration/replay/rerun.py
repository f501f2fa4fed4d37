"""Recorded changes decided over once more: the worker's steps in a database of their own, at the times when
they were due then."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from tocsin.alerts import services as alerts
from tocsin.alerts.correlate.step import correlate, pending
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.alerts.transition import ENDING, OPENING
from tocsin.alerts.unsilence import unsilence
from tocsin.checkers.services import CheckSet
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.db.work import Worker
from tocsin.orchestration import engine, services
from tocsin.orchestration.graph import four_stages
from tocsin.orchestration.nodes import Walk
from tocsin.orchestration.replay.findings import Findings
from tocsin.orchestration.replay.lines import Act, Answer, Change, End, Fed
from tocsin.orchestration.replay.places import stored
from tocsin.orchestration.replay.relabel import Relabel
from tocsin.orchestration.replay.stand_ins import StandIns

TOGETHER: Final = timedelta(milliseconds=50)  # a worker that is woken takes what came by then
MOST_TOGETHER: Final = 400
COLLECT_AFTER: Final = 2_000  # entries; what they left is then told and let go of
RUNS_AT_ONCE: Final = 500
_CHANGED: Final = """
    INSERT INTO alerts_alert (id, fingerprint, name, status, severity, source, labels, annotations,
        generator_url, started_at, timed_out, episode, seen_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT DO UPDATE SET status = excluded.status, severity = excluded.severity"""
_BEGUN: Final = f"{_CHANGED}, started_at = excluded.started_at, episode = excluded.episode"
_ENTRY: Final = (
    "id", "alert_id", "fingerprint", "kind", "severity", "source", "episode", "at", "received_at", "trace_id",
    "actor", "decision", "reason",
)  # fmt: skip
_NEXT: Final = """
    SELECT MIN(at) FROM (
        SELECT MIN(due_at) AS at FROM orchestration_pipelinerun WHERE due_at IS NOT NULL AND due_at > %s
        UNION ALL SELECT MIN(ends_at) FROM alerts_silence WHERE ends_at > %s)"""
_LATE: Final = """
    SELECT 1 FROM orchestration_pipelinerun WHERE due_at IS NOT NULL AND due_at <= %s LIMIT 1"""


class Rerun:
    """One history under one configuration. ``take`` gives what is known after each part of it."""

    def __init__(self, since: datetime, relabel: Relabel) -> None:
        self._relabel = relabel
        self._findings = Findings(since)
        self._token = Worker().token
        self._checks = CheckSet(())  # none is made
        self._stand_ins = StandIns()
        self._stand_ins.put_into([four_stages()])
        self._now: datetime | None = None
        self._new = 0

    def take(self, lines: Iterable[Fed]) -> Iterator[Answer]:
        """Play it all, to the line that ends it."""
        for part in _parts(lines):
            first = part[0]
            if isinstance(first, End):
                self._pass_time(first.until - datetime.resolution)
                break
            self._pass_time(first.received_at)
            if isinstance(first, Act):
                self._perform(first)
            else:
                self._store([line for line in part if isinstance(line, Change)])
            self._settle()
            self._new += len(part)
            if self._new >= COLLECT_AFTER:
                self._new = 0
                yield from self._findings.collect()
        yield from self._findings.collect()
        yield from self._findings.incidents()

    def _pass_time(self, moment: datetime) -> None:
        """Do what came due until then, each when it did."""
        if self._now is None:
            self._now = moment
            return
        while (due := self._due()) is not None and due <= moment:
            self._now = due
            self._close()
            while unsilence(due):
                self._decide()
            self._settle()
        self._now = max(self._now, moment)
        self._close()

    def _close(self) -> None:
        """It shows only once something happens: so before that is soon enough."""
        while alerts.close_resolved(self._here):
            pass

    def _due(self) -> datetime | None:
        """When something is due next, after what is due already and cannot be done yet."""
        stamp = bulk.moment(self._now)
        return bulk.read_moment(bulk.fetch(_NEXT, [stamp] * 2)[0][0])

    def _settle(self) -> None:
        """Decide and walk until nothing is left that can be done now."""
        self._decide()
        while bulk.fetch(_LATE, [bulk.moment(self._now)]):
            walks = engine.claim(self._token(), self._here, RUNS_AT_ONCE)
            if not walks:
                return
            self._advance(walks)

    @property
    def _here(self) -> datetime:
        assert self._now is not None
        return self._now

    def _decide(self) -> None:
        while entries := pending(MOST_TOGETHER):
            with bulk.transaction():
                walks = engine.start(correlate(entries, self._here), self._here, self._token())
            self._advance(walks)

    def _advance(self, walks: Sequence[Walk]) -> None:
        """Deliveries find no room in any channel, and so are left where they are written."""
        self._stand_ins.put_into({id(walk.graph): walk.graph for walk in walks}.values())
        by_token: dict[str, list[Walk]] = {}
        for walk in walks:
            by_token.setdefault(walk.token, []).append(walk)
        for token, those in by_token.items():
            engine.advance(those, token, self._here, self._checks, {})

    def _store(self, changes: Sequence[Change]) -> None:
        """Put changes into the journal, as intake did."""
        self._now = max(self._here, *(one.received_at for one in changes))
        with bulk.transaction():
            for one in changes:
                bulk.execute(_BEGUN if one.kind in OPENING else _CHANGED, self._alert(one))
            bulk.insert(AlertHistory, _ENTRY, [_entry(one) for one in changes])

    def _alert(self, one: Change) -> bulk.Row:
        at = bulk.moment(one.at)
        status = Alert.RESOLVED if one.kind in ENDING else Alert.FIRING
        return (
            one.alert_id, one.fingerprint, one.name, status, one.severity, one.source, self._relabel.of(one),
            one.annotations, one.generator_url, at, False, one.episode, bulk.moment(one.received_at),
        )  # fmt: skip

    def _perform(self, act: Act) -> None:
        """What a person did, to the incident that the alert is in now; nothing where that cannot be done."""
        incident = Alert.objects.filter(pk=act.alert_id).values_list("incident_id", flat=True).first()
        if incident is None:
            return
        try:
            if act.kind == "acknowledged":
                services.acknowledge(incident_id=incident, actor=act.actor, now=self._here)
            elif act.kind == "resolved":
                services.resolve(incident_id=incident, actor=act.actor, now=self._here)
            else:
                alerts.unacknowledge(incident_id=incident, actor=act.actor, now=self._here, trace_id=new_id())
        except Rejected:  # it is over already, or somebody has it
            return


def _parts(lines: Iterable[Fed]) -> Iterator[list[Fed]]:
    """What is decided over together: changes that came within a moment, and all else alone."""
    part: list[Fed] = []
    for line in lines:
        if part and not _joins(line, part):
            yield part
            part = []
        part.append(line)
        if isinstance(line, End):
            break
    if part:
        yield part


def _joins(line: Fed, part: list[Fed]) -> bool:
    first = part[0]
    if not isinstance(line, Change) or not isinstance(first, Change) or len(part) >= MOST_TOGETHER:
        return False
    return line.received_at - first.received_at <= TOGETHER


def _entry(one: Change) -> bulk.Row:
    return (
        stored(one.id), one.alert_id, one.fingerprint, one.kind, one.severity, one.source, one.episode,
        bulk.moment(one.at), bulk.moment(one.received_at), one.trace_id, one.actor, AlertHistory.PENDING, "",
    )  # fmt: skip


def hasten() -> None:
    """What is thrown away need not reach the disk."""
    with connection.cursor() as cursor:
        for pragma in ("synchronous=OFF", "locking_mode=EXCLUSIVE", "journal_mode=MEMORY"):
            cursor.execute(f"PRAGMA {pragma}")
