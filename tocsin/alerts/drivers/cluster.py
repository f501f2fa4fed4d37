"""Pushes of Tocsin's own agents, which hubs take: what checks found, and that the agent lives."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from tocsin.alerts.document import Part, as_text, filled
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, CheckTold, Push, Reading
from tocsin.core import severity
from tocsin.core.errors import Rejected
from tocsin.core.labels import fingerprint

SOURCE: Final = "cluster"
LONGEST_ID: Final = 255
STATUSES: Final = {"firing", "resolved"}
FOUND: Final = {"critical": "critical", "warning": "warning"}  # by severity, where no status is told


class Driver(DocumentDriver):
    """Tocsin's agents; only on a hub (`CLUSTER_ENABLED=1`)."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        return 100 if part.text("source") == SOURCE and part.text("instance_id") else 0

    def parts(self, payload: Part) -> Iterable[Part]:
        return payload.parts("alerts")

    def read(self, payload: Any) -> Reading:
        whole = Part(payload)
        if whole.text("source") != SOURCE:
            raise Rejected('source: expected "cluster"')
        if len(whole.need("instance_id")) > LONGEST_ID:
            raise Rejected(f"instance_id: longer than {LONGEST_ID} characters")
        if not isinstance(whole.get("alerts"), list):
            raise Rejected("alerts: expected a list; an empty one is a sign of life")
        reading = super().read(payload)
        reading.beside = (_push(whole),)
        return reading

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        name, status = part.need("name"), part.text("status") or "firing"
        if status not in STATUSES:
            raise Rejected(f"status: {status[:40]!r} is neither firing nor resolved")
        own = {"instance_id": payload.text("instance_id"), "hostname": payload.text("hostname")}
        labels = {"alertname": name} | part.pairs("labels") | filled(own)
        labels.setdefault("instance", own["hostname"] or own["instance_id"])
        metrics = part.get("metrics")
        told = part.pairs("annotations") | ({"metrics": as_text(metrics)} if metrics else {})
        known_by = part.text("fingerprint") or fingerprint(part.pairs("labels") | {"alertname": name} | own)
        return AlertEvent(
            labels=labels,
            status="resolved" if status == "resolved" else "firing",
            name=name,
            severity=severity.read(part.text("severity")),
            annotations=told,
            starts_at=part.moment("started_at"),
            ends_at=part.moment("ended_at") if status == "resolved" else None,
            fingerprint=known_by,
        )


def _push(whole: Part) -> Push:
    agent = whole.part("agent")
    return Push(
        instance_id=whole.text("instance_id"),
        hostname=whole.text("hostname")[:LONGEST_ID],
        version=(agent.text("version") or whole.text("version"))[:64],
        spool=whole.text("spool")[:64],
        sent_at=whole.moment("sent_at"),
        interval=_whole(whole.get("interval")),
        waiting=_whole(agent.get("waiting")),
        dropped={
            name: count
            for name, told in agent.part("dropped").value.items()
            if isinstance(name, str) and (count := _whole(told))
        },
        makes=frozenset(agent.texts("checks")) if isinstance(agent.get("checks"), list) else None,
        checks=tuple(_check(part) for part in whole.parts("alerts") if part.text("labels.checker")),
    )


def _check(part: Part) -> CheckTold:
    over = part.text("status") == "resolved"
    status = part.text("check_status") or FOUND.get(part.text("severity"), "warning")
    metrics = part.part("metrics").value
    return CheckTold(
        check=part.text("check", "labels.checker")[:64],
        status="ok" if over else status[:16],
        message=part.text("annotations.message", "annotations.summary")[:2_000],
        metrics={
            name: float(value)
            for name, value in metrics.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and len(name) <= LONGEST_ID
        },
        at=_moment(part),
        round=_whole(part.get("seq")),
    )


def _moment(part: Part) -> datetime | None:
    """When it was checked; one that is no time costs the check nothing else."""
    try:
        return part.moment("checked_at")
    except Rejected:
        return None


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0
