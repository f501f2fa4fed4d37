"""Our own log, to be looked through: by trace, level, module and time."""

import re
from datetime import UTC, datetime
from typing import Final

import msgspec
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.views.decorators.http import require_safe

from tocsin.accounts.access import key_or_session
from tocsin.core.errors import Forbidden, Misconfigured, Rejected, TocsinError
from tocsin.fleet import logs
from tocsin.fleet.logs.line import LEVELS, MOST, Asked

SHOWN: Final = 100
LONGEST: Final = 200
_UNENCODED: Final = re.compile(r"(?<=:\d\d) (?=\d\d:?\d\d$)")  # the plus of a time zone
_KNOWN: Final = ("correlation_id", "trace_id", "level", "source", "since", "until", "limit")


@require_safe
@key_or_session("read", "write")
def lines(request: HttpRequest) -> HttpResponse:
    """The newest lines that were asked for."""
    try:
        asked = _asked(request.GET)
    except Rejected as error:
        return _error(400, "query", str(error))
    try:
        found = logs.read(asked)
    except (Misconfigured, Forbidden) as error:
        return _error(500, "setting", str(error))
    except TocsinError as error:
        return _error(503, "unavailable", str(error))
    answer = {"lines": found, "count": len(found)}
    return HttpResponse(msgspec.json.encode(answer), content_type="application/json")


def _asked(query: QueryDict) -> Asked:
    """Raises Rejected for what cannot be asked."""
    for name in query:
        if name not in _KNOWN:
            raise Rejected(f"there is no filter {name[:64]!r} here; known: {', '.join(_KNOWN)}")
    levels = frozenset(level.lower() for level in query.getlist("level") if level)
    if not levels.issubset(LEVELS):
        raise Rejected(f"level: {min(levels - set(LEVELS))[:40]!r} is none of {', '.join(LEVELS)}")
    return Asked(
        trace_id=_text(query, "correlation_id") or _text(query, "trace_id"),
        levels=levels,
        source=_text(query, "source"),
        since=_moment(query, "since"),
        until=_moment(query, "until"),
        limit=_limit(query.get("limit", str(SHOWN))),
    )


def _text(query: QueryDict, name: str) -> str:
    return query.get(name, "").replace("\0", "").strip()[:LONGEST]


def _limit(given: str) -> int:
    if not (given.isascii() and given.isdecimal() and 1 <= int(given[:9]) <= MOST):
        raise Rejected(f"limit: {given[:64]!r} is no number from 1 to {MOST:,}")
    return int(given)


def _moment(query: QueryDict, name: str) -> datetime | None:
    """A time as ISO 8601 has it, or as Unix seconds."""
    given = _UNENCODED.sub("+", query.get(name, "").strip())
    if not given:
        return None
    try:
        told = float(given) if given.replace(".", "", 1).isdecimal() else None
        found = datetime.fromisoformat(given) if told is None else datetime.fromtimestamp(told, UTC)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise Rejected(
            f"{name}: {given[:64]!r} is no time: write it as 2026-11-21T12:00:00Z or in Unix seconds"
        ) from None


def _error(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"status": "error", "code": code, "message": message}, status=status)
