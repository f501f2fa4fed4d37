"""Alertmanager's webhook as this service reads it: the group, and its alerts by the hub's own driver.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from datetime import datetime
from typing import Final

import msgspec

from tocsin.alerts.decoding import UNREADABLE
from tocsin.alerts.drivers.alertmanager import Driver
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.limits import keep_good
from tocsin.core.errors import Rejected
from tocsin.core.labels import describe, fingerprint
from tocsin.notify.wording import cut
from tocsin.threader.thread import FIRING, RESOLVED, Alert, Webhook

LONGEST_KEY: Final = 65_536
LONGEST_NAME: Final = 255
LONGEST_TEXT: Final = 600
LONGEST_LINK: Final = 2_000
VERSIONS: Final = ("", "3", "4")
_WORDS: Final = ("summary", "message", "description")


class _Group(msgspec.Struct, rename="camel"):
    """What a webhook says besides its alerts."""

    version: str = ""
    group_key: str = ""
    status: str = "firing"
    group_labels: dict[str, str] = {}
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    external_url: str = msgspec.field(name="externalURL", default="")
    truncated_alerts: int = 0


_group = msgspec.json.Decoder(_Group)


def read(body: bytes, trace_id: str, now: datetime) -> Webhook:
    """Read what Alertmanager posted. Raises Rejected, which says what is wrong with it."""
    try:
        group = _group.decode(body)
    except UNREADABLE as error:
        raise Rejected(str(error)[:400]) from error
    _check(group)
    reading = keep_good(Driver().parse(body))
    if reading.errors:
        raise Rejected(f"alerts[{reading.errors[0].index}]: {reading.errors[0].message}")
    if not reading.alerts:
        raise Rejected("alerts: there is none")
    return Webhook(
        key=group.group_key or describe(group.group_labels, sorted(group.group_labels)),
        over=group.status == RESOLVED,
        title=_title(group, reading.alerts[0]),
        alerts=[_alert(event) for event in reading.alerts],
        truncated=max(0, group.truncated_alerts),
        url=_link(group.external_url),
        runbook=_link(group.common_annotations.get("runbook_url", "")),
        trace_id=trace_id,
        received_at=now,
    )


def _check(group: _Group) -> None:
    if group.version not in VERSIONS:
        raise Rejected(f"version: {group.version[:20]!r} is not known; Alertmanager's is 4")
    if not group.group_key and not group.group_labels:
        raise Rejected("groupKey is missing: it names the thread")
    if len(group.group_key) > LONGEST_KEY:
        raise Rejected(f"groupKey is longer than {LONGEST_KEY} characters")


def _alert(event: AlertEvent) -> Alert:
    text = next((event.annotations[word] for word in _WORDS if event.annotations.get(word)), "")
    return Alert(
        fingerprint=event.fingerprint or fingerprint(event.labels),
        status=RESOLVED if event.status == RESOLVED else FIRING,
        severity=event.severity,
        started_at=event.starts_at,
        ended_at=event.ends_at,
        name=cut(event.name, LONGEST_NAME),
        where=cut(event.labels.get("instance", ""), LONGEST_NAME),
        text=cut(text, LONGEST_TEXT),
    )


def _title(group: _Group, first: AlertEvent) -> str:
    """The group for people: ``HighCPU on web-1``, and what else it is grouped by."""
    labels = dict(group.group_labels)
    name = labels.pop("alertname", "") or group.common_labels.get("alertname", "") or first.name or "Alerts"
    where = labels.pop("instance", "")
    more = [f"{label}={value}" for label, value in sorted(labels.items()) if value]
    said = name + (f" on {where}" if where else "") + (f" ({', '.join(more)})" if more else "")
    return cut(said, LONGEST_NAME)


def _link(url: str) -> str:
    return url if len(url) <= LONGEST_LINK else ""
