"""What fires."""

from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import Case, Q, Value, When

from tocsin.alerts.models import Alert, Incident
from tocsin.chat.blocks import link, plain, told
from tocsin.core.durations import lasting
from tocsin.core.severity import RANK

SHOWN: Final = 15
_SIGNS: Final = {"critical": "🔴", "error": "🟠", "warning": "🟡", "info": "🔵"}
_RANKED: Final = Case(*(When(severity=level, then=Value(rank)) for level, rank in RANK.items()))


def firing(text: str, now: datetime) -> dict[str, Any]:
    """The alerts that fire, the worst and newest first; with a text, those that have it."""
    found = Alert.objects.filter(
        status=Alert.FIRING, incident__status__in=(Incident.OPEN, Incident.ACKNOWLEDGED)
    )
    if text:
        found = found.filter(Q(name__icontains=text) | Q(labels__icontains=text))
    rows = list(found.select_related("incident").order_by(_RANKED.desc(), "-pk")[: SHOWN + 1])
    lines = [_line(alert, now) for alert in rows[:SHOWN]]
    if len(rows) > SHOWN:
        lines.append(f"… and more: {link(settings.PUBLIC_URL + '/', 'all incidents')}")
    nothing = f"Nothing fires that has “{plain(text, 80)}”." if text else "Nothing fires."
    return told(lines or [nothing], "Alerts")


def _line(alert: Alert, now: datetime) -> str:
    assert alert.incident is not None
    where = alert.labels.get("instance", "")
    head = f"{_SIGNS.get(alert.severity, '⚪')} *{plain(alert.name, 120)}*"
    head += f" on {plain(where, 120)}" if where else ""
    since = lasting(max(0, int((now - alert.started_at).total_seconds())))
    page = link(f"{settings.PUBLIC_URL}/incidents/{alert.incident.pk}/", f"#{alert.incident.pk}")
    by = f", {plain(alert.incident.acknowledged_by, 60)} is on it" if alert.incident.acknowledged_by else ""
    return f"{head} for {since} · {page} {alert.incident.status}{by}"
