"""``/api/v1/monitors/``: monitors made, read, changed, removed and looked at."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from tocsin.accounts.access import key_or_session
from tocsin.api.lists import listed
from tocsin.checkers import monitors as services
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.models import Monitor
from tocsin.checkers.setup import Setup, read
from tocsin.checkers.told import told
from tocsin.core import clock
from tocsin.core.errors import Rejected, TocsinError, Unknown

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def monitors(request: HttpRequest) -> HttpResponseBase:
    """The list, or a new one."""
    return _add(request) if request.method == "POST" else listed(request, name="monitors")


@csrf_exempt
@require_http_methods(["GET", "HEAD", "PUT", "DELETE"])
def one(request: HttpRequest, monitor: str) -> HttpResponseBase:
    """One: told, set up anew, or removed."""
    acts: dict[str, Callable[..., HttpResponseBase]] = {"PUT": _change, "DELETE": _remove}
    return acts.get(request.method or "", _tell)(request, monitor)


@csrf_exempt
@require_POST
@key_or_session("write")
def run(request: HttpRequest, monitor: str) -> HttpResponse:
    """Look now, and answer with what was found; it counts as any other look."""

    def look() -> CheckResult:
        return services.look_now(monitor=_found(monitor), now=clock.now())

    return _answered(look)


@key_or_session("read", "write")
def _tell(request: HttpRequest, monitor_id: str) -> HttpResponse:
    return _answered(lambda: told(_found(monitor_id)))


@key_or_session("write")
def _add(request: HttpRequest) -> HttpResponse:
    def add() -> Any:
        return told(services.create(setup=_setup(request), origin=Monitor.API, now=clock.now()))

    return _answered(add, 201)


@key_or_session("write")
def _change(request: HttpRequest, monitor_id: str) -> HttpResponse:
    def change() -> Any:
        return told(services.change(monitor_id=monitor_id, setup=_setup(request), now=clock.now()))

    return _answered(change)


@key_or_session("write")
def _remove(request: HttpRequest, monitor_id: str) -> HttpResponse:
    def remove() -> dict[str, str]:
        services.remove(monitor_id=monitor_id, now=clock.now())
        return {"removed": monitor_id}

    return _answered(remove)


def _setup(request: HttpRequest) -> Setup:
    """The set-up of a request's body. Raises Rejected."""
    try:
        return read(_decode(request.body))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected(f"the body is no JSON object: {error}") from None


def _found(monitor_id: str) -> Monitor:
    found: Monitor | None = Monitor.objects.filter(pk=monitor_id).first()
    if found is None:
        raise Unknown(f"there is no monitor {monitor_id[:64]}")
    return found


def _answered(work: Callable[[], object], status: int = 200) -> HttpResponse:
    """What the work gives, as JSON; what is wrong with it, as an error."""
    try:
        given = work()
    except RequestDataTooBig:
        return _error(413, "too_large", "the body is too large")
    except Unknown as error:
        return _error(404, "unknown", str(error))
    except TocsinError as error:
        return _error(400, "payload", str(error))
    return HttpResponse(msgspec.json.encode(given), status=status, content_type="application/json")


def _error(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"status": "error", "code": code, "message": message}, status=status)
