"""Is it alive, can it work, what does it count."""

import time
from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from tocsin.accounts.access import key_or_session
from tocsin.api import readiness
from tocsin.api.metrics import CONTENT_TYPE, exposition
from tocsin.core import clock

_STARTED: Final = time.monotonic()


@require_safe
async def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. It asks nobody else, so that a hanging database does not get it killed."""
    return JsonResponse({"status": "ok", **_times()})


@require_safe
async def readyz(request: HttpRequest) -> JsonResponse:
    """The process can do its work; 503 says what is missing."""
    wrong = await readiness.what_is_wrong()
    if wrong:
        return JsonResponse(
            {"status": "error", "code": "not_ready", "message": wrong, **_times()}, status=503
        )
    return JsonResponse({"status": "ok", "checks": {"database": "ok"}, **_times()})


@require_safe
@key_or_session(open_on_loopback=True)
def metrics(request: HttpRequest) -> HttpResponse:
    """What all processes of this machine count, for Prometheus."""
    return HttpResponse(exposition(clock.now()), content_type=CONTENT_TYPE)


def _times() -> dict[str, object]:
    return {"uptime": round(time.monotonic() - _STARTED, 3), "timestamp": clock.now().isoformat()}
