"""``/notify/``: what programs tell people by our channels, or by a service whose config they bring; and the
drivers."""

from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from tocsin.accounts.access import key_or_session
from tocsin.alerts.intake.request import trace_id
from tocsin.api.answers import answered, body, headers, json, read
from tocsin.core import clock, doorbell
from tocsin.core.errors import Rejected
from tocsin.notify import fields, notices
from tocsin.notify.drivers import drivers
from tocsin.notify.notices import ACCEPTED, ERROR, SUCCESS, Notice, Result

_STATUS: Final = {ACCEPTED: 202, SUCCESS: 200, notices.SKIPPED: 200}
_REFUSED: Final = {"receiver": 502, "unknown": 404}


class Many(msgspec.Struct, forbid_unknown_fields=True):
    """Several, each as it is sent alone."""

    notifications: list[Any]


@csrf_exempt
@require_POST
@key_or_session("write")
def send(request: HttpRequest, driver: str = "") -> HttpResponse:
    """Tell something: 202 where it is on its way by stored channels; 200 or 502 where a config came with
    it."""
    trace = trace_id(headers(request))

    def sent() -> HttpResponse:
        notice = read(body(request), Notice)
        if driver:
            drivers.get(driver)
            if notice.driver not in ("", driver):
                raise Rejected(f"driver: the path says {driver}")
            notice.driver = driver
        (result,) = notices.tell([notice], trace, clock.now())
        _ring([result])
        return json(_told(result), _status(result))

    answer = answered(sent)
    answer.headers["X-Correlation-Id"] = trace
    return answer


@csrf_exempt
@require_POST
@key_or_session("write")
def batch(request: HttpRequest) -> HttpResponse:
    """Tell several things, at most 100; the answer has one result for each, in order."""
    trace = trace_id(headers(request))

    def sent() -> dict[str, Any]:
        given = _many(body(request))
        results = _results(given, trace)
        _ring(results)
        wrong = sum(result.status == ERROR for result in results)
        whole = ERROR if results and wrong == len(results) else "partial" if wrong else SUCCESS
        told = [{**_told(result), "http_status": _status(result)} for result in results]
        return {"status": whole, "failed": wrong, "results": told}

    answer = answered(sent)
    answer.headers["X-Correlation-Id"] = trace
    return answer


@require_safe
@key_or_session("read", "write")
def listed(request: HttpRequest) -> HttpResponse:
    """The drivers, each in a sentence."""
    return json({"drivers": [{"name": name, "about": fields.about(name)} for name in drivers.names()]})


@require_safe
@key_or_session("read", "write")
def one(request: HttpRequest, driver: str) -> HttpResponse:
    """A driver and the config that it needs, as fields and as a JSON schema."""

    def told() -> dict[str, Any]:
        kind = drivers.get(driver)
        return {
            "name": driver,
            "about": fields.about(driver),
            "modes": list(kind.modes),
            "fields": fields.fields_of(driver),
            "schema": kind.Config.model_json_schema(),
        }

    return answered(told)


def _many(content: bytes) -> list[Any]:
    """A list, or one under ``notifications``. Raises Refused, Rejected."""
    given: Any = read(content, Any)
    if not isinstance(given, list):
        given = read(content, Many).notifications
    if not 0 < len(given) <= notices.MOST:
        raise Rejected(f"notifications: 1 to {notices.MOST} of them")
    return list(given)


def _results(given: list[Any], trace: str) -> list[Result]:
    """One for each: what cannot be read costs the others nothing."""
    asked = [_read(each) for each in given]
    told = iter(notices.tell([each for each in asked if isinstance(each, Notice)], trace, clock.now()))
    return [next(told) if isinstance(each, Notice) else each for each in asked]


def _read(given: Any) -> Notice | Result:
    try:
        return msgspec.convert(given, Notice)
    except msgspec.ValidationError as error:
        return Result(ERROR, code="payload", message=str(error))


def _status(result: Result) -> int:
    return _REFUSED.get(result.code, 400) if result.status == ERROR else _STATUS[result.status]


def _told(result: Result) -> dict[str, Any]:
    """As JSON; of one delivery its id stands at the top too."""
    told: dict[str, Any] = msgspec.to_builtins(result)
    if len(result.deliveries) == 1:
        told |= result.deliveries[0]
    return told


def _ring(results: list[Result]) -> None:
    if any(result.deliveries for result in results):
        doorbell.ring()
