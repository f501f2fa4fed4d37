"""How the fleet is: modules and their devices, made from rows. Nothing is read or written here."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from tocsin.checkers.checks import CRITICAL, OK, UNKNOWN, WARNING
from tocsin.core import severity
from tocsin.fleet.models import Heartbeat, Instance

AGENTS, HEARTBEATS = "agents", "heartbeats"
SILENT: Final = "silent"
STATUSES: Final = (CRITICAL, SILENT, WARNING, UNKNOWN, OK)  # the worst first
MOST_DEVICES: Final = 10_000
ZIGBEE: Final = "zigbee2mqtt"
_AWAY: Final = ("offline", "silent", "unreachable")
_RANK: Final = {status: place for place, status in enumerate(STATUSES)}
_OF_SEVERITY: Final = {severity.CRITICAL: CRITICAL, severity.ERROR: CRITICAL, severity.WARNING: WARNING}


class InstanceRow(msgspec.Struct, frozen=True):
    """What the summary asks of an instance."""

    pk: int
    instance_id: str
    hostname: str
    state: str
    status: str
    address: str
    clock_wrong: bool
    last_seen_at: datetime


class AlertRow(msgspec.Struct, frozen=True):
    """What it asks of an alert."""

    name: str
    status: str
    severity: str
    source: str
    labels: dict[str, str]
    started_at: datetime
    seen_at: datetime
    incident_id: int | None
    fingerprint: str


class EventRow(msgspec.Struct, frozen=True):
    """And of an event of the feed."""

    source: str
    data: dict[str, Any]
    at: datetime


class Trouble(msgspec.Struct, frozen=True):
    """An alert that fires for a device."""

    name: str
    severity: str
    fingerprint: str
    started_at: datetime
    incident_id: int | None


class Device(msgspec.Struct):
    """One thing that is watched. ``key`` is its row's, where it has one."""

    id: str
    status: str
    seen_at: datetime | None = None
    key: int = 0
    also: str = ""  # another name it is looked for by
    alerts: list[Trouble] = []

    @property
    def online(self) -> bool:
        """Whether it is heard from."""
        return self.status not in (SILENT, UNKNOWN)


class Module(msgspec.Struct):
    """Devices of one kind, the worst first."""

    name: str
    devices: list[Device]

    @property
    def online(self) -> int:
        """How many are heard from."""
        return sum(device.online for device in self.devices)

    @property
    def counts(self) -> Counter[str]:
        """How many are in each state."""
        return Counter(device.status for device in self.devices)


class DeviceTold(msgspec.Struct):
    """A device, as the API tells it."""

    id: str
    status: str


class ModuleTold(msgspec.Struct):
    """A module, as the API tells it."""

    module: str
    total: int
    online: int
    devices: list[DeviceTold]


class Summary(msgspec.Struct, rename={"updated_at": "updatedAt"}):
    """How all modules are."""

    modules: list[ModuleTold]
    updated_at: datetime
    cut: bool


def modules(
    instances: Iterable[InstanceRow],
    heartbeats: Iterable[Heartbeat],
    alerts: Iterable[AlertRow],
    events: Iterable[EventRow],
    now: datetime,
) -> list[Module]:
    """All modules: agents and heartbeats first, then by name. Of each at most ``MOST_DEVICES``."""
    agents = [_agent(row) for row in instances]
    jobs = [_job(row, now) for row in heartbeats]
    own = {AGENTS: agents, HEARTBEATS: jobs}
    named = _named(alerts, events)
    others = {name: list(devices.values()) for name, devices in sorted(named.items()) if name not in own}
    return [Module(name, _worst_first(found)) for name, found in (own | others).items()]


def summary(found: Sequence[Module], now: datetime) -> Summary:
    """What ``/api/health/summary`` answers."""
    told, cut = [], False
    for module in found:
        shown = module.devices[:MOST_DEVICES]
        cut = cut or len(shown) < len(module.devices)
        online = sum(device.online for device in shown)
        devices = [DeviceTold(device.id, device.status) for device in shown]
        told.append(ModuleTold(module.name, len(shown), online, devices))
    return Summary(told, now, cut)


def status_of(row: InstanceRow | Instance) -> str:
    """An instance's state in one word."""
    if row.state == Instance.SILENT:
        return SILENT
    if not row.address:  # it has its key and has not pushed yet
        return UNKNOWN
    return WARNING if row.clock_wrong and row.status == OK else row.status


def module_of(alert: AlertRow) -> tuple[str, str] | None:
    """Module and device that an alert is of, by its labels; None where it names none."""
    labels = alert.labels
    device = labels.get("device") or labels.get("instance", "")
    module = labels.get("module", "")
    if not module and (alert.source == ZIGBEE or labels.get("device")):
        module = labels.get("job", "")
    return (module, device) if module and device else None


def _agent(row: InstanceRow) -> Device:
    also = row.hostname if row.hostname != row.instance_id else ""
    return Device(row.instance_id, status_of(row), row.last_seen_at, row.pk, also)


def _job(row: Heartbeat, now: datetime) -> Device:
    return Device(row.name, _status_of_job(row, now), row.last_ping_at, row.pk)


def _status_of_job(row: Heartbeat, now: datetime) -> str:
    state = row.seen_at(now)
    if state == Heartbeat.DOWN:
        return CRITICAL if row.last_signal == Heartbeat.FAILURE else SILENT
    if state in (Heartbeat.NEW, Heartbeat.PAUSED):
        return UNKNOWN
    return WARNING if state == Heartbeat.LATE else OK


def _named(alerts: Iterable[AlertRow], events: Iterable[EventRow]) -> dict[str, dict[str, Device]]:
    """Devices by module, of the modules that alerts and events name. That something is wrong with one,
    alerts alone say; an event tells that it was heard of."""
    found: dict[str, dict[str, Device]] = {}
    for alert in alerts:
        if place := module_of(alert):
            device = _device(found, *place, alert.seen_at)
            if alert.status == "firing":
                device.alerts.append(_trouble(alert))
                device.status = min(device.status, _status_of_alert(alert), key=_RANK.__getitem__)
    for event in events:
        module, name = event.data.get("module"), event.data.get("device") or event.source
        if isinstance(module, str) and module and isinstance(name, str) and name:
            _device(found, module, name, event.at)
    return found


def _device(found: dict[str, dict[str, Device]], module: str, name: str, at: datetime) -> Device:
    devices = found.setdefault(module, {})
    device = devices.setdefault(name, Device(name, OK))
    device.seen_at = max(device.seen_at or at, at)
    return device


def _trouble(alert: AlertRow) -> Trouble:
    return Trouble(alert.name, alert.severity, alert.fingerprint, alert.started_at, alert.incident_id)


def _status_of_alert(alert: AlertRow) -> str:
    away = alert.name.casefold().rstrip(" !.").endswith(_AWAY)
    return SILENT if away else _OF_SEVERITY.get(alert.severity, OK)


def _worst_first(devices: list[Device]) -> list[Device]:
    return sorted(devices, key=lambda device: (_RANK.get(device.status, 0), device.id.casefold(), device.id))
