"""What is known of the fleet, read for pages and the API: one query a kind, each bounded."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
from django.db.models import Case, Q, QuerySet, Value, When

from tocsin.alerts.models import Alert, Incident
from tocsin.fleet.models import Event, Heartbeat, Instance
from tocsin.fleet.summary import (
    AGENTS,
    HEARTBEATS,
    MOST_DEVICES,
    ZIGBEE,
    AlertRow,
    EventRow,
    InstanceRow,
    Module,
    Trouble,
    modules,
)

# Devices that nothing fires for are known from so many of the newest alerts and events.
LOOKED_AT: Final = 20_000
MOST_ALERTS: Final = 500  # in which an instance's name stands, in whatever place
_LIVE: Final = (Incident.OPEN, Incident.ACKNOWLEDGED)
_WORST_FIRST: Final = Case(When(state=Heartbeat.DOWN, then=Value(0)), default=Value(1))
_SILENT_FIRST: Final = Case(When(state=Instance.SILENT, then=Value(0)), default=Value(1))
_ASKED_OF_JOBS: Final = (
    "name", "state", "period", "cron", "timezone", "grace", "started_at", "expected_at", "last_ping_at",
    "last_signal",
)  # fmt: skip


class InstanceTold(msgspec.Struct):
    """An instance in full."""

    id: str
    hostname: str
    state: str
    status: str
    version: str
    address: str
    first_seen_at: datetime
    last_seen_at: datetime
    silent_since: datetime | None
    interval: int
    lag: float
    clock_offset: float
    clock_wrong: bool
    waiting: int
    dropped: dict[str, int]
    checks: dict[str, dict[str, str]]


class HeartbeatTold(msgspec.Struct):
    """A heartbeat in full, but for the secret in its URL."""

    name: str
    state: str
    schedule: str
    last_ping_at: datetime | None
    expected_at: datetime | None
    down_since: datetime | None
    reason: str
    labels: dict[str, str]


class DeviceTold(msgspec.Struct):
    """A device of a module that alerts or events name."""

    module: str
    id: str
    status: str
    seen_at: datetime | None
    alerts: list[Trouble]


class State(msgspec.Struct, rename={"updated_at": "updatedAt"}):
    """All that is known of the fleet."""

    instances: list[InstanceTold]
    heartbeats: list[HeartbeatTold]
    devices: list[DeviceTold]
    updated_at: datetime
    cut: bool


COLUMNS: Final = (
    "instance_id", "hostname", "state", "status", "version", "address", "first_seen_at", "last_seen_at",
    "silent_since", "interval", "lag", "clock_offset", "clock_wrong", "waiting", "dropped", "checks",
)  # fmt: skip


def survey(now: datetime) -> list[Module]:
    """All modules as they are now."""
    return modules(_instances(), _heartbeats(), _alerts(), _events(), now)


def state(now: datetime) -> State:
    """All that is known, for ``/api/fleet/state``."""
    agents = first_silent().values_list(*COLUMNS)[: MOST_DEVICES + 1]
    told = [InstanceTold(*row) for row in agents.iterator()]
    jobs = Heartbeat.objects.defer("token", "last_text").order_by(_WORST_FIRST, "name")
    heartbeats = [_heartbeat(row, now) for row in jobs[: MOST_DEVICES + 1]]
    named = modules((), (), _alerts(), _events(), now)
    devices = [
        DeviceTold(module.name, device.id, device.status, device.seen_at, device.alerts)
        for module in named
        if module.name not in (AGENTS, HEARTBEATS)
        for device in module.devices
    ]
    lists: tuple[list[Any], ...] = (told, heartbeats, devices)
    cut = any(len(rows) > MOST_DEVICES for rows in lists)
    return State(told[:MOST_DEVICES], heartbeats[:MOST_DEVICES], devices[:MOST_DEVICES], now, cut)


def firing_on(instance: Instance, limit: int) -> list[Alert]:
    """The alerts that fire for an instance, with their incidents."""
    named = {instance.instance_id, instance.hostname} - {""}
    said = Q()
    for name in named:
        said |= Q(labels__contains=_in_json(name))
    found = Alert.objects.filter(said, status=Alert.FIRING, incident__status__in=_LIVE)
    rows = found.select_related("incident").order_by("-pk")[:MOST_ALERTS]
    return [alert for alert in rows if _is_of(alert, instance)][:limit]


def _is_of(alert: Alert, instance: Instance) -> bool:
    labels: dict[str, str] = alert.labels
    if "instance_id" in labels:
        return labels["instance_id"] == instance.instance_id
    names = {instance.instance_id, instance.hostname} - {""}
    return bool(names & {labels.get("instance", ""), labels.get("hostname", "")})


def _in_json(text: str) -> str:
    """A text as it stands as a value in a JSON column."""
    return ":" + msgspec.json.encode(text).decode()


def first_silent() -> QuerySet[Instance]:
    """All instances, those that are silent before the others."""
    return Instance.objects.order_by(_SILENT_FIRST, "instance_id")


def _instances() -> Iterator[InstanceRow]:
    columns = ("pk", *InstanceRow.__struct_fields__[1:])
    return (InstanceRow(*row) for row in first_silent().values_list(*columns)[: MOST_DEVICES + 1])


def _heartbeats() -> QuerySet[Heartbeat]:
    return Heartbeat.objects.only(*_ASKED_OF_JOBS).order_by(_WORST_FIRST, "name")[: MOST_DEVICES + 1]


def _alerts() -> list[AlertRow]:
    """Those that name a module: all that fire, by way of their incidents, and the newest. Each is found by
    an index; one query for both could use none."""
    named = Q(source=ZIGBEE) | Q(labels__contains='"module":') | Q(labels__contains='"device":')
    firing = Alert.objects.filter(named, status=Alert.FIRING, incident__status__in=_LIVE)
    newest = Alert.objects.filter(named, pk__gt=_beginning(Alert.objects.all()))
    found: dict[str, AlertRow] = {}
    for rows in (firing, newest):
        for row in rows.order_by("-pk").values_list(*AlertRow.__struct_fields__)[: MOST_DEVICES + 1]:
            told = AlertRow(*row)
            found.setdefault(told.fingerprint, told)
    return list(found.values())


def _events() -> list[EventRow]:
    rows = Event.objects.filter(data__contains='"module":', pk__gt=_beginning(Event.objects.all()))
    told = rows.order_by("-pk").values_list("source", "data", "at")[: MOST_DEVICES + 1]
    return sorted((EventRow(*row) for row in told), key=lambda row: row.at)


def _beginning(rows: QuerySet[Any]) -> int:
    newest = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    return newest - LOOKED_AT


def _heartbeat(row: Heartbeat, now: datetime) -> HeartbeatTold:
    return HeartbeatTold(
        name=row.name,
        state=row.seen_at(now),
        schedule=row.schedule.words(),
        last_ping_at=row.last_ping_at,
        expected_at=row.expected_at,
        down_since=row.down_since,
        reason=row.reason,
        labels=row.labels,
    )
