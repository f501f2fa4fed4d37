"""Where an agent trades its short-lived token for a key of its own."""

from typing import Final

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tocsin.alerts.intake.throttle import Throttle
from tocsin.core import clock, config
from tocsin.core.errors import Rejected, Unknown
from tocsin.fleet import enrolment
from tocsin.fleet.enrolment import Taken


class Asked(msgspec.Struct):
    """What an agent sends."""

    token: str
    instance_id: str
    hostname: str = ""
    version: str = ""


_decode: Final = msgspec.json.Decoder(Asked).decode
_failed: Final = Throttle()


@require_POST
@csrf_exempt
def enroll(request: HttpRequest) -> JsonResponse:
    """Answer with a key, once. The token is the credential, whatever the address."""
    if not config.flag("CLUSTER_ENABLED"):
        return _error(404, "hub", "this is no hub: set CLUSTER_ENABLED=1 there")
    try:
        asked = _decode(request.body)
    except RequestDataTooBig:
        return _error(413, "too_large", "the body is too large")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _error(400, "payload", str(error))
    try:
        key = enrolment.enrol(
            token=asked.token,
            instance_id=asked.instance_id,
            hostname=asked.hostname.replace("\0", ""),
            version=asked.version.replace("\0", ""),
            now=clock.now(),
        )
    except Unknown as error:
        return _denied(request, str(error))
    except Taken as error:
        return _error(409, "taken", str(error))
    except Rejected as error:
        return _error(400, "payload", str(error))
    return JsonResponse({"key": key, "instance_id": asked.instance_id}, status=201)


def _denied(request: HttpRequest, why: str) -> JsonResponse:
    """Who keeps guessing tokens must wait."""
    seconds = _failed.wait(request.META.get("REMOTE_ADDR", ""))
    if not seconds:
        return _error(403, "access", why)
    refused = _error(429, "access", f"too many wrong tokens: {why}")
    refused["Retry-After"] = str(seconds)
    return refused


def _error(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"status": "error", "code": code, "message": message}, status=status)
