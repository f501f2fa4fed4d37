"""What JSON endpoints answer: what the work gave, or what is wrong, in the shape that all errors have."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from tocsin.alerts.intake.request import Refused, inflated
from tocsin.core import log
from tocsin.core.errors import Rejected, TocsinError, Unavailable, Unknown, UnknownPlugin
from tocsin.notify.routing import lines
from tocsin.orchestration.definition import Unsound

logger = log.get(__name__)

_HEADERS: Final = ("content-encoding", "x-correlation-id")


def answered(
    work: Callable[[], object], status: int = 200, *, refused: tuple[int, str] = (400, "payload")
) -> HttpResponse:
    """What the work gives, as JSON; an answer that it made itself stays. ``refused`` is what is said of
    something that is not accepted."""
    try:
        given = work()
    except RequestDataTooBig:
        return _error(413, "too_large", "the body is larger than TOCSIN_INTAKE_MAX_BYTES")
    except Refused as error:
        return _error(error.status, error.code, str(error))
    except TocsinError as error:
        return _wrong(error, refused)
    except DatabaseError as error:
        logger.error("api.database_failed", error=str(error))
        return _later("the database cannot be used; try again shortly", 2)
    return given if isinstance(given, HttpResponse) else json(given, status)


def json(content: object, status: int = 200) -> HttpResponse:
    """A JSON answer."""
    return HttpResponse(msgspec.json.encode(content), status=status, content_type="application/json")


def body(request: HttpRequest) -> bytes:
    """A request's body, inflated. Raises RequestDataTooBig, Refused."""
    return inflated(request.body, headers(request), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def read(content: bytes, kind: type[Any]) -> Any:
    """A JSON body of that shape. Raises Refused, which names the field."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, "payload", f"the body cannot be used: {error}") from None


def headers(request: HttpRequest) -> dict[bytes, bytes]:
    """The headers that ways in look at, as they look at them."""
    return {name.encode(): request.headers[name].encode() for name in _HEADERS if name in request.headers}


def _wrong(error: TocsinError, refused: tuple[int, str]) -> HttpResponse:
    if isinstance(error, Unsound):
        return _error(400, "definition", str(error), problems=[each.model_dump() for each in error.problems])
    if isinstance(error, lines.Unsound):
        problems = [msgspec.structs.asdict(each) for each in error.problems]
        return _error(400, "routes", str(error), problems=problems)
    if isinstance(error, Unknown):
        return _error(404, "unknown", str(error))
    if isinstance(error, UnknownPlugin):
        return _error(404, "driver", str(error))
    if isinstance(error, Unavailable):
        return _later(str(error), error.retry_after or 1)
    status, code = refused if isinstance(error, Rejected) else (400, "payload")
    return _error(status, code, str(error))


def _later(message: str, seconds: float) -> HttpResponse:
    answer = _error(503, "unavailable", message)
    answer.headers["Retry-After"] = str(max(1, round(seconds)))
    return answer


def _error(status: int, code: str, message: str, **more: Any) -> HttpResponse:
    return json({"status": "error", "code": code, "message": message, **more}, status)
