"""The way of an alert, taken apart: each part is the real code on a real database, with so many at a time.

Import it once Django is set up.
"""

import asyncio
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Final

import uvloop
from django.contrib.auth import get_user_model
from django.test import Client

from bench.meter import Meter
from tocsin.alerts import services as alerts
from tocsin.alerts.correlate.step import correlate, pending
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.alerts.news import News
from tocsin.checkers.services import CheckSet
from tocsin.core import http
from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.db.work import Worker
from tocsin.notify import outbox
from tocsin.notify import services as notify
from tocsin.notify.lanes import Lanes
from tocsin.notify.models import Delivery, NotificationChannel
from tocsin.notify.outcome import Outcome
from tocsin.notify.sending import Parcel
from tocsin.notify.services import LEASE, Outgoing
from tocsin.orchestration import engine, retention
from tocsin.orchestration.models import PipelineRun, StageExecution
from tocsin.orchestration.nodes import Walk
from tocsin.orchestration.worker import Turn

TABLES = (Alert, AlertHistory, Incident, PipelineRun, StageExecution, Delivery)
SEND_SECONDS: Final = 30.0
PAGES: Final = 20
CHECKS_SECONDS: Final = 20.0  # after which their results would soon be too old to be used


class Parts:
    """One installation in this process: committer, worker and lanes, one step after the other."""

    def __init__(self, meter: Meter, port: int) -> None:
        self._meter = meter
        self._now = datetime.now(UTC)
        self._journal, self._worker, self._checks = Journal(), Worker(), CheckSet()
        self._loop = uvloop.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._outcomes: list[Outcome] = []
        notify.add_channel(
            name="sink", driver="webhook", given={"url": f"http://127.0.0.1:{port}/"}, now=self._now
        )
        self._http = http.Client()
        self._lanes = Lanes(self._http, self._outcomes.append)
        self._channel = NotificationChannel.objects.get()
        self._number = 0

    def way(self, size: int) -> None:
        """Take so many new alerts the whole way, and to their ends."""
        self._meter.watched.fold()
        if time.monotonic() - self._checks.taken_at > CHECKS_SECONDS:
            self._checks.run()
        first, self._number = self._number, self._number + size
        names = [f"web-{number}" for number in range(first, self._number)]
        self._silent(names, size)
        self._told([f"{name}.example.com" for name in names], size)
        with self._meter.part("folding the log back", size):
            self._meter.watched.fold()

    def _silent(self, names: list[str], size: int) -> None:
        """With nobody to tell: what the four stages take by themselves."""
        self._enable(False)
        self._commit("commit, new", _firing(names, self._now), size)
        walks = self._decided("decision, new incident", size)
        with self._meter.part("four stages", size):
            engine.advance(walks, walks[0].token, self._now, self._checks, {})
        self._commit("commit, re-sent", _firing(names, self._now), size)
        with self._meter.part("noting what was re-sent", size):
            self._journal.flush()
        self._commit("commit, another of a group", _firing(names, self._now, disk="sdb"), size)
        self._decided("decision, joins an incident", size)

    def _told(self, names: list[str], size: int) -> None:
        """With a channel: deliveries, sending, outcomes; then the ends, whose messages wait for a claim."""
        self._enable(True)
        self._turn().news([], [])  # the lanes learn of the channel
        self._journal.commit([_post(_firing(names, self._now))])
        walks = self._walks(self._correlated(size))
        with self._meter.part("four stages and a delivery", size):
            advanced = engine.advance(
                walks, walks[0].token, self._now, self._checks, {self._channel.pk: size}
            )
        self._send(advanced.outgoing, walks[0].token, size)
        self._commit("commit, end", _ended(names, self._now), size)
        walks = self._decided("decision, end", size)
        engine.advance(walks, walks[0].token, self._now, self._checks, {})  # no room: they wait
        turn = self._turn()
        with self._meter.part("a sweep that claims", size):
            turn.sweep()
        assert len(turn.parcels[self._channel.pk]) == size

    def _enable(self, enabled: bool) -> None:
        notify.enable_channel(name=self._channel.name, enabled=enabled)

    def _turn(self) -> Turn:
        return Turn(self._worker, self._lanes, self._checks, self._now)

    def _commit(self, name: str, events: list[AlertEvent], size: int) -> None:
        post = _post(events)
        with self._meter.part(name, size):
            self._journal.commit([post])

    def _correlated(self, size: int) -> list[News]:
        with bulk.transaction():
            return correlate(pending(size), self._now)

    def _walks(self, news: list[News]) -> list[Walk]:
        with bulk.transaction():
            return engine.start(news, self._now, self._worker.token())

    def _decided(self, name: str, size: int) -> list[Walk]:
        """As a worker's turn does it: decision and runs are one transaction, whose end is measured apart."""
        with ExitStack() as stack:
            with self._meter.part(name, size):
                entries = pending(size)
                stack.enter_context(bulk.transaction())
                news = correlate(entries, self._now)
            with self._meter.part("runs' start", size):
                walks = engine.start(news, self._now, self._worker.token())
            with self._meter.part("their commit", size):
                stack.pop_all().close()
        assert len(entries) == size
        return walks

    def _send(self, outgoing: list[Outgoing], token: str, size: int) -> None:
        until = self._loop.time() + LEASE.total_seconds()
        parcels = [Parcel(item.message.id, token, until, item.message) for item in outgoing]
        with self._meter.part("sending a webhook", size):
            self._loop.run_until_complete(self._emptied(parcels))
        outcomes, self._outcomes[:] = list(self._outcomes), []
        assert len(outcomes) == size and all(outcome.sent for outcome in outcomes), outcomes[:1]
        with self._meter.part("writing an outcome", size):
            outbox.finish(outcomes, self._now)

    async def _emptied(self, parcels: list[Parcel]) -> None:
        self._lanes.put(self._channel.pk, parcels)
        async with asyncio.timeout(SEND_SECONDS):
            while len(self._outcomes) < len(parcels):
                await asyncio.sleep(0.002)

    def sizes(self) -> dict[str, int]:
        """Bytes that a row of each table takes, its indexes included."""
        found = self._meter.watched.sizes()
        return {
            model._meta.object_name or "": round(found[model._meta.db_table] / model.objects.count())
            for model in TABLES
        }

    def pages(self) -> None:
        """What people read, with all of this stored."""
        reader = Client(headers={"host": "localhost"})
        reader.force_login(get_user_model().objects.create_superuser("reader"))
        incident = Incident.objects.latest("id").pk
        for path, name in (("/", "page: incidents"), (f"/incidents/{incident}/", "page: one incident")):
            reader.get(path)  # templates are read once
            for _ in range(PAGES):
                with self._meter.part(name, 1):
                    answer = reader.get(path)
                assert answer.status_code == 200, answer

    def thin(self) -> None:
        """Let all of it go, a year later."""
        over = {"due_at": None, "lease": "", "state": Delivery.SENT}
        Delivery.objects.filter(due_at__isnull=False).update(**over)
        PipelineRun.objects.filter(due_at__isnull=False).update(due_at=None, state=PipelineRun.COMPLETED)
        Alert.objects.update(status=Alert.RESOLVED, ended_at=self._now)
        Incident.objects.update(status=Incident.RESOLVED, resolved_at=self._now, close_at=self._now)
        while alerts.close_resolved(self._now + timedelta(hours=1)):
            pass
        rows = sum(model.objects.count() for model in TABLES)
        later = self._now + timedelta(days=400)
        self._meter.watched.fold()
        with self._meter.part("letting a row go", rows):
            while retention.thin(later):
                pass
        left = {model.__name__: count for model in TABLES if (count := model.objects.count())}
        assert not left, left

    def close(self) -> None:
        """End the connections and the event loop."""
        self._http.close()
        self._loop.run_until_complete(asyncio.sleep(0))  # which closes them
        self._loop.close()
        asyncio.set_event_loop(None)


def _post(events: list[AlertEvent]) -> Post:
    return Post(events, "prometheus", new_id(), datetime.now(UTC))


def _firing(names: list[str], now: datetime, **labels: str) -> list[AlertEvent]:
    """As Prometheus tells of them: believed for four minutes more."""
    return [
        AlertEvent(
            labels={
                "alertname": "DiskFull",
                "instance": name,
                "severity": "critical",
                "job": "node",
                **labels,
            },
            name="DiskFull",
            severity="critical",
            annotations={"summary": "Less than 5 % left on /var"},
            starts_at=now,
            expires_at=datetime.now(UTC) + timedelta(minutes=4),
            generator_url="http://prometheus.example/graph",
        )
        for name in names
    ]


def _ended(names: list[str], now: datetime) -> list[AlertEvent]:
    return [
        AlertEvent(
            labels={"alertname": "DiskFull", "instance": name, "severity": "critical", "job": "node"},
            status="resolved",
            name="DiskFull",
            severity="critical",
            starts_at=now,
            ends_at=now + timedelta(seconds=1),
        )
        for name in names
    ]
