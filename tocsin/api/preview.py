"""What would be read from a payload, storing nothing: to try a sender, or to write a driver."""

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from tocsin.accounts.access import key_or_session
from tocsin.alerts import reading
from tocsin.alerts.events import AlertEvent, Reading
from tocsin.alerts.intake.request import Refused, inflated
from tocsin.core.errors import Rejected, UnknownPlugin
from tocsin.core.labels import fingerprint


@require_POST
@key_or_session()
def preview(request: HttpRequest, driver: str = "") -> HttpResponse:
    """Read a payload as a webhook would, by the named driver or by the one that fits it."""
    try:
        body = inflated(request.body, _headers(request), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        name, found = reading.read(body, driver=driver)
    except RequestDataTooBig:
        return _error(413, "too_large", "the body is larger than TOCSIN_INTAKE_MAX_BYTES")
    except UnknownPlugin as error:
        return _error(404, "driver", str(error))
    except Refused as refused:
        return _error(refused.status, refused.code, str(refused))
    except Rejected as error:
        return _error(400, "payload", str(error))
    return _json(name, found)


def _headers(request: HttpRequest) -> dict[bytes, bytes]:
    return {b"content-encoding": request.headers.get("Content-Encoding", "").encode()}


def _error(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"status": "error", "code": code, "message": message}, status=status)


def _json(driver: str, found: Reading) -> HttpResponse:
    content = {"driver": driver, "alerts": [_shown(e) for e in found.alerts], "errors": found.errors}
    return HttpResponse(msgspec.json.encode(content), content_type="application/json")


def _shown(event: AlertEvent) -> dict[str, object]:
    return {
        "name": event.name,
        "status": event.status,
        "severity": event.severity,
        "started_at": event.starts_at,
        "ended_at": event.ends_at,
        "labels": event.labels,
        "annotations": event.annotations,
        "fingerprint": event.fingerprint or fingerprint(event.labels),
    }
