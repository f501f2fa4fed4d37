"""What people do to an alert at another system's client: notes, snoozing, assigning, other words for it."""

from collections.abc import Callable, Sequence
from typing import Final

from django.db import transaction
from msgspec.structs import replace

from tocsin.alerts import services, silences
from tocsin.alerts.events import Deed
from tocsin.alerts.intake.beside import Told
from tocsin.alerts.intake.limits import MAX_ANNOTATION, MAX_LABELS, MAX_VALUE
from tocsin.alerts.models import Alert, AlertHistory
from tocsin.alerts.silences import Wanted
from tocsin.alerts.transition import SEVERITY
from tocsin.core.errors import Rejected
from tocsin.core.matchers import EQUAL, Matcher

# What clients change about an alert later: a silence that asked for it would let the alert go.
_CHANGING: Final = frozenset({"tags", "priority", "severity"})


def perform(deeds: Sequence[Deed], told: Told) -> None:
    """Do what was asked for. As in the protocols it comes from, what is about no alert is passed over."""
    for deed in deeds:
        with transaction.atomic():
            alert = Alert.objects.select_for_update().filter(fingerprint=deed.fingerprint).first()
            if alert is not None:
                _DO[deed.kind](alert, deed, told)


def _note(alert: Alert, deed: Deed, told: Told) -> None:
    if alert.incident_id and deed.text:
        services.note(
            incident_id=alert.incident_id,
            text=deed.text,
            actor=_actor(deed, told),
            now=told.received_at,
            trace_id=told.trace_id,
        )


def _assign(alert: Alert, deed: Deed, told: Told) -> None:
    if alert.incident_id and deed.text:
        services.assign(
            incident_id=alert.incident_id,
            to=deed.text,
            actor=_actor(deed, told),
            now=told.received_at,
            trace_id=told.trace_id,
        )


def _unacknowledge(alert: Alert, deed: Deed, told: Told) -> None:
    if alert.incident_id:
        services.unacknowledge(
            incident_id=alert.incident_id,
            actor=_actor(deed, told),
            now=told.received_at,
            trace_id=told.trace_id,
        )


def _snooze(alert: Alert, deed: Deed, told: Told) -> None:
    """A silence for this alert alone. When it ends and the alert still fires, people hear of it anew."""
    if deed.until is None or alert.status != Alert.FIRING:
        return
    about = {"alertname": alert.name, **alert.labels}
    matchers = [Matcher(name, EQUAL, value) for name, value in about.items() if name not in _CHANGING]
    actor = _actor(deed, told)
    wanted = Wanted(
        matchers=matchers[: silences.MOST_MATCHERS],
        starts_at=told.received_at,
        ends_at=deed.until,
        created_by=actor,
        comment=deed.text or "snoozed",
    )
    alert.silenced_by = silences.put(wanted=wanted, now=told.received_at)
    alert.save(update_fields=["silenced_by"])
    if alert.incident_id:
        until = deed.until.strftime("%Y-%m-%d %H:%M UTC")
        text = f"snoozed until {until}" + (f": {deed.text}" if deed.text else "")
        services.note(
            incident_id=alert.incident_id,
            text=text,
            actor=actor,
            now=told.received_at,
            trace_id=told.trace_id,
        )


def _tag(alert: Alert, deed: Deed, told: Told) -> None:
    given = {word.strip() for word in deed.text.split(",")} - {""}
    words = set(filter(None, alert.labels.get("tags", "").split(",")))
    words = words | given if deed.kind == "tag" else words - given
    _amend(alert, replace(deed, labels={"tags": ",".join(sorted(words))}), told)


def _amend(alert: Alert, deed: Deed, told: Told) -> None:
    before = (alert.name, alert.severity, alert.labels, alert.annotations)
    alert.name = deed.name[:255] or alert.name
    alert.severity = deed.severity or alert.severity
    alert.labels = _amended(alert.labels, deed.labels, MAX_VALUE)
    alert.annotations = _amended(alert.annotations, deed.annotations, MAX_ANNOTATION)
    if (alert.name, alert.severity, alert.labels, alert.annotations) == before:
        return
    alert.save(update_fields=["name", "severity", "labels", "annotations"])
    if alert.severity != before[1] and alert.status == Alert.FIRING:
        _journal_severity(alert, deed, told)


def _journal_severity(alert: Alert, deed: Deed, told: Told) -> None:
    AlertHistory.objects.create(
        alert=alert,
        fingerprint=alert.fingerprint,
        kind=SEVERITY,
        severity=alert.severity,
        source=alert.source,
        episode=alert.episode,
        at=told.received_at,
        received_at=told.received_at,
        trace_id=told.trace_id,
        actor=_actor(deed, told),
    )


def _amended(old: dict[str, str], new: dict[str, str], longest: int) -> dict[str, str]:
    merged = {name: value[:longest] for name, value in {**old, **new}.items() if value}
    if len(merged) > MAX_LABELS:
        raise Rejected(f"the alert would have {len(merged)} labels; at most {MAX_LABELS} are taken")
    return merged


def _actor(deed: Deed, told: Told) -> str:
    return (deed.by or told.sender or told.system)[:150]


_DO: Final[dict[str, Callable[[Alert, Deed, Told], None]]] = {
    "note": _note,
    "assign": _assign,
    "unacknowledge": _unacknowledge,
    "snooze": _snooze,
    "tag": _tag,
    "untag": _tag,
    "amend": _amend,
}
