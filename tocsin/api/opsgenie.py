"""What Opsgenie's clients ask about: alerts, and what became of a request. The rest of its API is a way
in: ``alerts/apis/opsgenie.py``."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_safe

from tocsin.accounts.access import View, bearer, key_or_session
from tocsin.alerts import sources
from tocsin.alerts.apis import opsgenie
from tocsin.alerts.models import Alert, AlertHistory, Incident
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id

MOST: Final = 100
_PRIORITIES: Final = {"critical": "P1", "error": "P2", "warning": "P3", "info": "P5"}
_ACTIONS: Final = {"fired": "Create", "refired": "Create", "acknowledged": "Acknowledge", "resolved": "Close"}
_TERM: Final = re.compile(r'(status|alias)\s*[:=]\s*("[^"]*"|\S+)')
_STATES: Final = {"open": Alert.FIRING, "closed": Alert.RESOLVED}


def _any_key(view: View) -> View:
    """For holders of any key, and of a source's token."""
    guarded = key_or_session(open_on_loopback=True)(view)

    @wraps(guarded)
    def chosen(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        key = bearer(request)
        known = bool(key) and sources.knows(key)
        return (view if known else guarded)(request, *args, **kwargs)

    return chosen


@require_safe
@key_or_session("read", "write", open_on_loopback=True)
def listed(request: HttpRequest) -> JsonResponse:
    """Alerts that came by this protocol, newest first."""
    try:
        offset, limit = _number(request, "offset", 0), min(_number(request, "limit", 20), MOST)
        rows = _asked(request).select_related("incident").order_by("-id")[offset : offset + limit]
    except Rejected as error:
        return _answer({"message": str(error)}, 422)
    return _answer({"data": [_brief(row) for row in rows], "paging": {}})


@require_safe
@key_or_session("read", "write", open_on_loopback=True)
def count(request: HttpRequest) -> JsonResponse:
    """How many of them there are."""
    try:
        return _answer({"data": {"count": _asked(request).count()}})
    except Rejected as error:
        return _answer({"message": str(error)}, 422)


@require_safe
@_any_key
def one(request: HttpRequest, alert: str) -> JsonResponse:
    """One alert in full."""
    key = opsgenie.genie_key(request.headers.get("Authorization", ""), _query(request))
    kind = request.GET.get("identifierType", "id")
    try:
        fingerprint = opsgenie.fingerprint(key, alert, kind)
    except Rejected as error:
        return _answer({"message": str(error)}, 422)
    row = Alert.objects.select_related("incident").filter(fingerprint=fingerprint).first()
    return _answer({"data": _full(row)}) if row else _answer({"message": "Alert does not exist"}, 404)


@require_safe
@_any_key
def processed(request: HttpRequest, asked: str) -> JsonResponse:
    """What became of a request that was answered with 202, which it is once it is on disk."""
    trace = opsgenie.trace_of(asked)
    entry = AlertHistory.objects.select_related("alert").filter(trace_id=trace).order_by("id").first()
    if entry is None and not _handed_out(trace):
        return _answer({"message": "Request not found. It might not be processed, yet."}, 404, asked)
    data = {"success": True, "isSuccess": True, "status": "It changed nothing.", "alertId": "", "alias": ""}
    data |= {"action": "", "integrationId": opsgenie.SOURCE, "processedAt": _time(clock.now())}
    if entry is not None:
        alias = entry.alert.labels.get("alias", "") if entry.alert else ""
        data |= {"action": _ACTIONS.get(entry.kind, entry.kind), "alertId": entry.fingerprint, "alias": alias}
        data |= {"status": _became(entry), "processedAt": _time(entry.received_at)}
    return _answer({"data": data}, asked=asked)


def _handed_out(trace: str) -> bool:
    """Whether a trace id is one that we may have made: what repeats is not in the journal."""
    try:
        found = UUID(trace)
        made_at = datetime.fromtimestamp((found.int >> 80) / 1000, UTC)
    except (ValueError, OverflowError):
        return False
    return found.version == 7 and made_at <= clock.now()


def _became(entry: AlertHistory) -> str:
    if entry.decision == AlertHistory.IGNORED:
        return f"It made nothing: {entry.reason}."
    return f"{_ACTIONS.get(entry.kind, entry.kind)} done."


def _asked(request: HttpRequest) -> QuerySet[Alert]:
    """Alerts by what is read of Opsgenie's search language. Raises Rejected for what is not."""
    rows = Alert.objects.filter(source=opsgenie.SOURCE)
    query = request.GET.get("query", "").strip()
    if _TERM.sub("", query).replace("AND", "").replace("and", "").strip():
        raise Rejected(f"query: {query[:80]!r} is not read; it may hold status:open, status:closed, alias:…")
    key = opsgenie.genie_key(request.headers.get("Authorization", ""), _query(request))
    for name, value in _TERM.findall(query):
        told = value.strip('"')
        if name == "alias":
            rows = rows.filter(fingerprint=opsgenie.fingerprint(key, told, "alias"))
        else:
            rows = rows.filter(status=_STATES.get(told, told))
    return rows


def _number(request: HttpRequest, name: str, default: int) -> int:
    value = request.GET.get(name, "") or str(default)
    if not re.fullmatch("[0-9]{1,9}", value):
        raise Rejected(f"{name} must be a number")
    return int(value)


def _query(request: HttpRequest) -> Mapping[str, str]:
    return {name: str(value) for name, value in request.GET.items()}


def _brief(row: Alert) -> dict[str, Any]:
    firing = row.status == Alert.FIRING
    taken_on = firing and row.incident is not None and row.incident.acknowledged_at is not None
    return {
        "id": row.fingerprint,
        "tinyId": row.fingerprint,
        "alias": row.labels.get("alias", ""),
        "message": row.name,
        "status": "open" if firing else "closed",
        "acknowledged": taken_on,
        "isSeen": taken_on,
        "snoozed": firing and bool(row.silenced_by),
        "count": row.episode,
        "tags": list(filter(None, row.labels.get("tags", "").split(","))),
        "priority": row.labels.get("priority") or _PRIORITIES[row.severity],
        "source": row.labels.get("source", ""),
        "owner": _owner(row.incident, taken_on),
        "responders": [],
        "createdAt": _time(row.started_at),
        "updatedAt": _time(row.seen_at),
        "lastOccurredAt": _time(row.seen_at),
    }


def _owner(incident: Incident | None, taken_on: bool) -> str:
    if incident is None:
        return ""
    return incident.assigned_to or (incident.acknowledged_by if taken_on else "")


def _full(row: Alert) -> dict[str, Any]:
    own = {"summary", "description", "note"}
    return {
        **_brief(row),
        "description": row.annotations.get("description", ""),
        "entity": row.labels.get("entity", ""),
        "actions": [],
        "details": {name: told for name, told in row.annotations.items() if name not in own},
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _answer(content: dict[str, Any], status: int = 200, asked: str = "") -> JsonResponse:
    told = {**content, "took": 0.001, "requestId": asked or opsgenie.request_id(new_id())}
    return JsonResponse(told, status=status)
