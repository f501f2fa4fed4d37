"""What is pressed on a phone that the notify driver ``twilio`` called. Twilio's signature is the
credential: it is made with the auth token of the channel that called."""

import hmac
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tocsin.alerts.intake.throttle import Throttle
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.notify.drivers.twilio import answer_path, signature
from tocsin.notify.models import NotificationChannel
from tocsin.orchestration import services

_failed: Final = Throttle()


@require_POST
@csrf_exempt
def pressed(request: HttpRequest, incident_id: int) -> HttpResponse:
    """Who presses 1 takes the incident on."""
    channel = _caller(request, f"{settings.PUBLIC_URL}/{answer_path(incident_id)}")
    if channel is None:
        return _denied(request)
    if request.POST.get("Digits") != "1":
        return _say("Nothing has been changed.")
    actor = f"{channel.name} ({request.POST.get('To', '')[:20]})"
    try:
        services.acknowledge(incident_id=incident_id, actor=actor, now=clock.now())
    except Rejected as error:
        return _say(str(error))
    return _say("Acknowledged. Thank you.")


def _caller(request: HttpRequest, url: str) -> NotificationChannel | None:
    """The channel whose call it was; None where nobody signed it."""
    form = {name: str(value) for name, value in request.POST.items()}
    given = request.headers.get("X-Twilio-Signature", "").encode()
    for channel in NotificationChannel.objects.filter(driver="twilio", enabled=True):
        token = channel.config.get("auth_token", "")
        if not token or channel.config.get("account_sid") != form.get("AccountSid"):
            continue
        right = (signature(spelt, form, token).encode() for spelt in _spellings(url))
        if any(hmac.compare_digest(one, given) for one in right):
            return channel
    return None


def _spellings(url: str) -> tuple[str, str, str]:
    """A URL as Twilio may sign it: it leaves out the port of some, and puts it into others."""
    parts = urlsplit(url)
    host = parts.netloc.removesuffix(f":{parts.port}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return url, parts._replace(netloc=host).geturl(), parts._replace(netloc=f"{host}:{port}").geturl()


def _denied(request: HttpRequest) -> HttpResponse:
    """Who keeps guessing signatures must wait."""
    seconds = _failed.wait(request.META.get("REMOTE_ADDR", ""))
    if not seconds:
        return HttpResponse("the signature is not Twilio's", status=403, content_type="text/plain")
    refused = HttpResponse("too many wrong signatures", status=429, content_type="text/plain")
    refused["Retry-After"] = str(seconds)
    return refused


def _say(text: str) -> HttpResponse:
    return HttpResponse(f"<Response><Say>{escape(text)}</Say></Response>", content_type="text/xml")
