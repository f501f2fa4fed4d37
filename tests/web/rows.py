"""Rows for pages to show, made without the way of an alert."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tocsin.alerts.models import Incident, ParkedPayload, Silence, Source
from tocsin.checkers.models import Monitor
from tocsin.core import clock
from tocsin.core.ids import new_id
from tocsin.core.matchers import Matcher, parse, to_json
from tocsin.fleet.models import Heartbeat, Instance
from tocsin.notify.models import Delivery, NotificationChannel, RoutingTree
from tocsin.orchestration.definition import STAGES
from tocsin.orchestration.models import PipelineDefinition, PipelineRun

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def incident(title: str = "HighCPU on web-1", **fields: Any) -> Incident:
    given = {"severity": "warning", "trace_id": new_id(), "opened_at": NOW, "updated_at": NOW}
    return Incident.objects.create(title=title, **given | fields)


def channel(name: str = "hook", driver: str = "webhook", **config: Any) -> NotificationChannel:
    return NotificationChannel.objects.create(name=name, driver=driver, config=config, created_at=NOW)


def delivery(to: NotificationChannel, state: str = Delivery.DEAD, **fields: Any) -> Delivery:
    given = {"id": new_id(), "run_id": new_id(), "trace_id": new_id(), "kind": "firing", "created_at": NOW}
    return Delivery.objects.create(channel=to, state=state, message={}, **given | fields)


def tree(**fields: Any) -> RoutingTree:
    given = {"document": {"route": {"channels": ["hook"]}}, "created_at": NOW}
    return RoutingTree.objects.create(**given | fields)


def source(name: str = "zabbix-eu", **fields: Any) -> Source:
    return Source.objects.create(name=name, digest=new_id(), prefix="abcdef", created_at=NOW, **fields)


def parked(body: bytes = b"{}", **fields: Any) -> ParkedPayload:
    given = {"reason": "no driver reads this payload", "trace_id": new_id(), "received_at": NOW}
    return ParkedPayload.objects.create(body=body, size=len(body), **given | fields)


def silence(matchers: str = 'instance="web-1"', **fields: Any) -> Silence:
    """One that began an hour ago and holds for an hour more, by the real clock, as the pages go by it."""
    now, hour = clock.now(), timedelta(hours=1)
    given = {"pk": str(uuid4()), "starts_at": now - hour, "ends_at": now + hour, "updated_at": now - hour}
    shapes = [to_json(matcher) for matcher in parse(matchers)]
    return Silence.objects.create(matchers=shapes, **given | fields)


def heartbeat(name: str = "nightly-backup", **fields: Any) -> Heartbeat:
    given = {"token": name, "digest": name, "created_at": NOW}
    return Heartbeat.objects.create(name=name, **given | fields)


def instance(name: str = "web-1", **fields: Any) -> Instance:
    given = {"address": "192.0.2.7", "first_seen_at": NOW, "last_seen_at": NOW}
    return Instance.objects.create(instance_id=name, **given | fields)


def monitor(name: str = "shop", **fields: Any) -> Monitor:
    given = {"checker": "http", "options": {"url": "https://shop.example/"}, "due_at": NOW}
    return Monitor.objects.create(name=name, changed_at=NOW, created_at=NOW, **given | fields)


def pipeline(name: str = "shop", **fields: Any) -> PipelineDefinition:
    """One of one version, in the place of what an installation begins with."""
    PipelineDefinition.objects.all().delete()
    given = {"definition": STAGES, "version": 1, "updated_at": NOW}
    made = PipelineDefinition.objects.create(name=name, **given | fields)
    made.versions.create(number=1, document=made.definition, created_at=NOW)
    return made


def run(**fields: Any) -> PipelineRun:
    given = {"run_id": new_id(), "trace_id": new_id(), "reason": "fired", "created_at": NOW}
    return PipelineRun.objects.create(**given | fields)


def quoted(name: str, value: str) -> str:
    """A matcher of one value, as text."""
    return str(Matcher(name, "=", value))
