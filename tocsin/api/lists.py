"""``/api/v1/``: what there is, as lists, newest first, a page at a time.

Each list takes ``limit``, ``cursor`` (from the answer's ``next``) and filters, which all must hold;
a filter given several times asks for any of its values.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import msgspec
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.views.decorators.http import require_safe

from tocsin.accounts.access import key_or_session
from tocsin.alerts import models as alerts
from tocsin.checkers.models import CheckRun, Monitor
from tocsin.checkers.told import told, told_run
from tocsin.core.errors import Rejected, UnknownPlugin
from tocsin.notify import services as notify
from tocsin.notify.models import Delivery, NotificationChannel
from tocsin.notify.setup import Setup, setup_of
from tocsin.orchestration import story
from tocsin.orchestration.models import PipelineRun

LIMIT, MOST = 50, 500
_PAGING: Final = ("limit", "cursor")
_LONGEST_NUMBER: Final = 18


class Alert(msgspec.Struct):
    """An alert as it stands now."""

    fingerprint: str
    name: str
    status: str
    severity: str
    source: str
    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str
    started_at: datetime
    ended_at: datetime | None
    seen_at: datetime
    episode: int
    incident_id: int | None


class Channel(msgspec.Struct):
    """A channel; secrets in its config are masked."""

    name: str
    driver: str
    enabled: bool
    created_at: datetime
    config: dict[str, Any]
    setup: Setup


class Listing(msgspec.Struct):
    """One kind of thing: its rows, what they can be asked by, and how they are told.

    ``numbers`` and ``flags`` name the filters whose values are numbers, or yes and no.
    """

    rows: Callable[[], QuerySet[Any]]
    told: Callable[[Sequence[Any]], list[Any]]
    filters: dict[str, str]
    numbers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def _plainly(kind: type[msgspec.Struct], rows: Sequence[Model]) -> list[Any]:
    return [story.plain(kind, row) for row in rows]


def _deliveries(rows: Sequence[Delivery]) -> list[Any]:
    return [
        story.plain(story.Delivery, row, channel=row.channel.name, driver=row.channel.driver) for row in rows
    ]


def _channels(rows: Sequence[NotificationChannel]) -> list[Any]:
    return [story.plain(Channel, row, config=_config(row), setup=setup_of(row)) for row in rows]


def _config(channel: NotificationChannel) -> dict[str, Any]:
    try:
        return notify.masked(channel)
    except UnknownPlugin as error:
        return {"error": str(error)}


LISTS: Final = {
    "incidents": Listing(
        alerts.Incident.objects.all,
        partial(_plainly, story.Incident),
        {"id": "pk", "status": "status", "severity": "severity", "trace_id": "trace_id"},
        numbers=("id",),
    ),
    "alerts": Listing(
        alerts.Alert.objects.all,
        partial(_plainly, Alert),
        {"fingerprint": "fingerprint", "name": "name", "status": "status", "severity": "severity",
         "source": "source", "incident": "incident_id"},
        numbers=("incident",),
    ),
    "deliveries": Listing(
        Delivery.objects.select_related("channel").defer("message").all,
        _deliveries,
        {"id": "pk", "channel": "channel__name", "state": "state", "kind": "kind",
         "incident": "incident_id", "run": "run_id", "trace_id": "trace_id",
         "folded_into": "folded_into"},
        numbers=("incident",),
    ),
    "runs": Listing(
        PipelineRun.objects.all,
        story.told_runs,
        {"run": "pk", "state": "state", "reason": "reason", "incident": "incident_id",
         "trace_id": "trace_id", "definition": "version__definition__name"},
        numbers=("incident",),
    ),
    "channels": Listing(
        NotificationChannel.objects.select_related("fallback").all,
        _channels,
        {"name": "name", "driver": "driver", "enabled": "enabled"},
        flags=("enabled",),
    ),
    "monitors": Listing(
        Monitor.objects.all,
        lambda rows: [told(row) for row in rows],
        {"id": "pk", "name": "name", "checker": "checker", "status": "last_status", "firing": "firing",
         "enabled": "enabled", "origin": "origin"},
        flags=("enabled", "firing"),
    ),
    "check-runs": Listing(
        CheckRun.objects.all,
        lambda rows: [told_run(row) for row in rows],
        {"id": "pk", "monitor": "monitor_id", "checker": "checker", "instance": "instance",
         "status": "status", "trace_id": "trace_id"},
        numbers=("id",),
    ),
}  # fmt: skip


@require_safe
@key_or_session("read", "write")
def listed(request: HttpRequest, name: str) -> HttpResponse:
    """A page of a list."""
    listing = LISTS[name]
    try:
        limit = _limit(request.GET)
        rows = _asked(listing, request.GET)
    except Rejected as error:
        return JsonResponse({"status": "error", "code": "query", "message": str(error)}, status=400)
    found = list(rows[: limit + 1])
    following = str(found[limit - 1].pk) if len(found) > limit else None
    content = {name.replace("-", "_"): listing.told(found[:limit]), "next": following}
    return HttpResponse(msgspec.json.encode(content), content_type="application/json")


def _limit(query: QueryDict) -> int:
    return min(MOST, max(1, _number("limit", query.get("limit") or str(LIMIT))))


def _asked(listing: Listing, query: QueryDict) -> QuerySet[Any]:
    """The rows that meet the filters. Raises Rejected for one that this list has not."""
    rows = listing.rows().order_by("-pk")
    for name in query:
        if name in _PAGING:
            continue
        if name not in listing.filters:
            known = ", ".join([*listing.filters, *_PAGING])
            raise Rejected(f"there is no filter {name[:64]!r} here; known: {known}")
        values = [_value(listing, name, text) for text in query.getlist(name)]
        rows = rows.filter(**{f"{listing.filters[name]}__in": values})
    cursor = query.get("cursor")
    if cursor:
        last = (
            _number("cursor", cursor)
            if listing.rows().model._meta.pk.get_internal_type() != "CharField"
            else cursor
        )
        rows = rows.filter(pk__lt=last)
    return rows


def _value(listing: Listing, name: str, text: str) -> Any:
    if name in listing.numbers:
        return _number(name, text)
    if name in listing.flags:
        if text.lower() not in ("true", "false", "1", "0"):
            raise Rejected(f"{name}: {text[:64]!r} is neither true nor false")
        return text.lower() in ("true", "1")
    if "\0" in text:
        raise Rejected(f"{name}: a NUL character cannot be looked for")
    return text


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise Rejected(f"{name}: {text[:64]!r} is not a whole number")
    return int(text)
