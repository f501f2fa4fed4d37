"""Whether an instance has fallen silent or its clock is wrong, and the alerts that say so. Nothing is
read or written here."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity
from tocsin.fleet.models import Instance
from tocsin.fleet.schedule import lasting

SOURCE: Final = "fleet"
SILENT: Final = "InstanceSilent"
CLOCK: Final = "InstanceClockWrong"
MISSED: Final = 3  # pushes that may be missed
SHORTEST: Final = timedelta(seconds=90)
WRONG: Final = 60.0  # seconds that a clock may be off
RIGHT: Final = 30.0  # and below which it is right again


def look_at(instance: Instance) -> datetime | None:
    """When it will have been silent for too long; None where nobody knows how often it pushes."""
    if not instance.interval:
        return None
    allowed = max(SHORTEST, timedelta(seconds=instance.interval * MISSED))
    return instance.last_seen_at + allowed


def clock_is_wrong(instance: Instance) -> bool:
    """Whether its clock is too far off; once it was, it must come nearer to be right."""
    return abs(instance.clock_offset) > (RIGHT if instance.clock_wrong else WRONG)


def judge(instance: Instance, now: datetime) -> list[AlertEvent]:
    """Settle its state, and when to look again; the alerts that this makes or ends."""
    alerts: list[AlertEvent] = []
    look = look_at(instance)
    silent = look is not None and look <= now
    if silent and instance.state == Instance.UP:
        instance.state, instance.silent_since = Instance.SILENT, instance.last_seen_at
        alerts.append(_silent(instance, "firing"))
    elif not silent and instance.state == Instance.SILENT:
        alerts.append(_silent(instance, "resolved"))
        instance.state, instance.silent_since = Instance.UP, None
    wrong = clock_is_wrong(instance)
    if wrong != instance.clock_wrong:
        instance.clock_wrong = wrong
        alerts.append(_clock(instance, "firing" if wrong else "resolved"))
    instance.due_at = None if silent else look
    return alerts


def ended(instance: Instance) -> list[AlertEvent]:
    """The ends of the alerts that it has."""
    alerts = [_silent(instance, "resolved")] if instance.state == Instance.SILENT else []
    return [*alerts, _clock(instance, "resolved")] if instance.clock_wrong else alerts


def _silent(instance: Instance, status: Status) -> AlertEvent:
    every = f", which pushes every {lasting(instance.interval)}" if instance.interval else ""
    since = f"{instance.last_seen_at:%Y-%m-%d %H:%M} UTC"
    summary = f"Nothing has come from {instance.instance_id}{every}, since {since}"
    return _alert(instance, SILENT, f"silent-{instance.pk}", status, severity.CRITICAL, summary)


def _clock(instance: Instance, status: Status) -> AlertEvent:
    off = instance.clock_offset
    how = "ahead" if off > 0 else "behind"
    summary = f"The clock of {instance.instance_id} is {abs(off):.0f} s {how}"
    return _alert(instance, CLOCK, f"clock-{instance.pk}", status, severity.WARNING, summary)


def _alert(
    instance: Instance, name: str, known_by: str, status: Status, level: str, summary: str
) -> AlertEvent:
    labels = {
        "alertname": name,
        "instance": instance.hostname or instance.instance_id,
        "instance_id": instance.instance_id,
        "hostname": instance.hostname,
    }
    return AlertEvent(
        labels={label: told for label, told in labels.items() if told},
        status=status,
        name=name,
        severity=level,
        annotations={"summary": summary},
        generator_url=f"{settings.PUBLIC_URL}/fleet/{instance.pk}/",
        fingerprint=f"instance-{known_by}",
        reopens=True,
    )
