"""Whether a heartbeat is up or down, and the alert that says so. Nothing is read or written here."""

from datetime import datetime
from typing import Final

from django.conf import settings

from tocsin.alerts.events import AlertEvent
from tocsin.core import severity
from tocsin.fleet.models import Heartbeat
from tocsin.fleet.schedule import lasting

ALERTNAME: Final = "HeartbeatDown"
SOURCE: Final = "heartbeat"
LINES_SHOWN: Final = 20
SHOWN: Final = 2_000


def judge(heartbeat: Heartbeat, now: datetime) -> AlertEvent | None:
    """Settle its state, and when to look again; the alert that this makes, renews or ends, if any."""
    before = heartbeat.state
    if before == Heartbeat.PAUSED:
        heartbeat.due_at = None
        return None
    why = _what_is_wrong(heartbeat, now)
    if why:
        _put_down(heartbeat, why, now)
        return firing(heartbeat)
    if heartbeat.last_signal == Heartbeat.SUCCESS:
        heartbeat.state = Heartbeat.UP
    if heartbeat.state == Heartbeat.DOWN:
        heartbeat.due_at = None
        return firing(heartbeat)
    heartbeat.due_at = heartbeat.overdue_at
    return raised(heartbeat) if before == Heartbeat.DOWN else None


def raised(heartbeat: Heartbeat) -> AlertEvent:
    """The end of its alert, as it is down no more."""
    ended = _alert(heartbeat, "resolved")
    heartbeat.down_since, heartbeat.reason = None, ""
    return ended


def firing(heartbeat: Heartbeat) -> AlertEvent:
    """Its alert."""
    return _alert(heartbeat, "firing")


def _put_down(heartbeat: Heartbeat, why: str, now: datetime) -> None:
    if heartbeat.state != Heartbeat.DOWN:
        heartbeat.down_since = now
    heartbeat.state, heartbeat.reason, heartbeat.due_at = Heartbeat.DOWN, why, None


def _what_is_wrong(heartbeat: Heartbeat, now: datetime) -> str:
    """In words; empty where nothing is."""
    if heartbeat.last_signal == Heartbeat.FAILURE:
        status = heartbeat.last_exit_status
        return "failed" if status is None else f"failed with exit status {status}"
    overdue_at = heartbeat.overdue_at
    if overdue_at is None or overdue_at > now:
        return ""
    began, expected = heartbeat.started_at, heartbeat.expected_at
    if began is not None and (expected is None or began <= expected):
        since, within = clock_time(heartbeat, began, now), lasting(heartbeat.grace)
        return f"began at {since} and has not ended within {within}"
    return f"was expected by {clock_time(heartbeat, overdue_at, now)} and has not come"


def clock_time(heartbeat: Heartbeat, moment: datetime, now: datetime) -> str:
    """A moment on the heartbeat's own clock; with its day where that is another."""
    local = moment.astimezone(heartbeat.schedule.zone)
    same_day = local.date() == now.astimezone(heartbeat.schedule.zone).date()
    return f"{local:%H:%M} {local:%Z}" if same_day else f"{local:%Y-%m-%d %H:%M} {local:%Z}"


def _alert(heartbeat: Heartbeat, status: str) -> AlertEvent:
    labels = {"instance": heartbeat.name, **heartbeat.labels}
    labels |= {"alertname": ALERTNAME, "heartbeat": heartbeat.name}
    if heartbeat.sender:
        labels["source"] = heartbeat.sender
    told = {"summary": f"{heartbeat.name} {heartbeat.reason}"}
    if heartbeat.last_signal == Heartbeat.FAILURE:  # else it is what a run said that went well
        told["output"] = last_lines(heartbeat.last_text)
    return AlertEvent(
        labels=labels,
        status="firing" if status == "firing" else "resolved",
        name=ALERTNAME,
        severity=severity.read(heartbeat.labels.get("severity") or severity.CRITICAL),
        annotations={name: text for name, text in told.items() if text},
        generator_url=f"{settings.PUBLIC_URL}/heartbeats/{heartbeat.pk}/",
        fingerprint=f"heartbeat-{heartbeat.pk}",
        reopens=True,
    )


def last_lines(text: str) -> str:
    """The end of what a job printed."""
    return "\n".join(text.strip().splitlines()[-LINES_SHOWN:])[-SHOWN:]
