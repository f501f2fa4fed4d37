"""The feed over HTTP: what happened and is no alert comes in, and is read."""

from datetime import datetime
from typing import Any, Final

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from tocsin.accounts.access import bearer, key_or_session
from tocsin.accounts.services import digest_of
from tocsin.alerts import document
from tocsin.alerts.document import Part
from tocsin.alerts.events import FeedEvent, Problem
from tocsin.alerts.intake.beside import Told
from tocsin.alerts.intake.request import Refused, inflated, trace_id
from tocsin.alerts.models import Source
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.fleet import feed
from tocsin.fleet.models import Event

MOST: Final = 1_000
SHOWN, MOST_SHOWN = 50, 200
_LEVELS: Final = frozenset(level for level, _ in Event.LEVELS)
_ASKED: Final = ("type", "level", "source", "correlation_id")


class EventTold(msgspec.Struct):
    """An event of the feed."""

    id: int
    type: str
    level: str
    message: str
    source: str
    correlation_id: str
    data: dict[str, Any]
    at: datetime
    received_at: datetime
    trace_id: str


@require_POST
@csrf_exempt
def take(request: HttpRequest) -> HttpResponseBase:
    """Take in one event or a list of them; the bad ones are named, the others kept. A source's token
    opens it too, as it does every way in."""
    token = bearer(request)
    known = Source.objects.filter(digest=digest_of(token), enabled=True) if token else Source.objects.none()
    sender = known.values_list("name", flat=True).first()
    return _take(request, sender) if sender else _take_by_key(request)


@key_or_session("ingest", "write", open_on_loopback=True)
def _take_by_key(request: HttpRequest) -> HttpResponse:
    return _take(request, "")


def _take(request: HttpRequest, sender: str) -> HttpResponse:
    headers = _headers(request)
    trace = trace_id(headers)
    try:
        body = inflated(request.body, headers, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        good, errors = _read(body)
    except RequestDataTooBig:
        return _error(413, "too_large", "the body is larger than TOCSIN_INTAKE_MAX_BYTES", trace)
    except Refused as refused:
        return _error(refused.status, refused.code, str(refused), trace)
    except Rejected as error:
        return _error(400, "payload", str(error), trace)
    if errors and not good:
        return _error(400, "payload", f"events[{errors[0].index}]: {errors[0].message}", trace)
    feed.record(good, Told("api", sender, trace, clock.now(), trusted=True))
    content: dict[str, Any] = {"status": "accepted", "trace_id": trace, "events": len(good)}
    return _json(content | ({"errors": errors} if errors else {}), 202, trace)


@require_safe
@key_or_session("read", "write", open_on_loopback=True)
def recent(request: HttpRequest) -> HttpResponse:
    """The newest events; ``type``, ``level``, ``source`` and ``correlation_id`` narrow them."""
    given = request.GET.get("limit", str(SHOWN))
    if not (given.isascii() and given.isdecimal() and 1 <= int(given[:6]) <= MOST_SHOWN):
        return _error(400, "query", f"limit: {given[:64]!r} is no number from 1 to {MOST_SHOWN}")
    asked = {name: request.GET.get(name, "").replace("\0", "") for name in _ASKED}
    rows = feed.newest(**asked)[: int(given)]
    told = [EventTold(*(getattr(row, name) for name in EventTold.__struct_fields__)) for row in rows]
    return _json({"events": told, "count": len(told)}, 200)


def _read(body: bytes) -> tuple[list[FeedEvent], list[Problem]]:
    """The events of a body, and those that cannot be read. Raises Rejected."""
    read = document.read(body)
    given = read if isinstance(read, list) else [read]
    if not given or len(given) > MOST:
        raise Rejected(f"expected an event or a list of 1 to {MOST:,}")
    good, errors = [], []
    for index, item in enumerate(given):
        try:
            good.append(_event(item))
        except Rejected as error:
            errors.append(Problem(index, str(error)))
    return good, errors


def _event(item: object) -> FeedEvent:
    if not isinstance(item, dict):
        raise Rejected("expected a JSON object")
    part = Part(item)
    level = part.text("level").lower() or Event.INFO
    data = part.get("data")
    if level not in _LEVELS:
        raise Rejected(f"level: {level[:40]!r} is none of {', '.join(sorted(_LEVELS))}")
    if data is not None and not isinstance(data, dict):
        raise Rejected("data: expected an object")
    return msgspec.convert(
        {
            "type": part.need("type"),
            "message": part.text("message"),
            "level": level,
            "source": part.text("source"),
            "correlation_id": part.text("correlation_id"),
            "data": data or {},
            "at": part.moment("at"),
        },
        FeedEvent,
    )


def _headers(request: HttpRequest) -> dict[bytes, bytes]:
    names = ("content-encoding", "x-correlation-id")
    return {name.encode(): request.headers[name].encode() for name in names if name in request.headers}


def _error(status: int, code: str, message: str, trace: str = "") -> JsonResponse:
    content = {"status": "error", "code": code, "message": message}
    return JsonResponse(content | ({"trace_id": trace} if trace else {}), status=status)


def _json(content: object, status: int, trace: str = "") -> HttpResponse:
    headers = {"X-Correlation-Id": trace} if trace else None
    body = msgspec.json.encode(content)
    return HttpResponse(body, status=status, content_type="application/json", headers=headers)
