"""How the fleet is, for dashboards and for people's own programs."""

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from tocsin.accounts.access import key_or_session
from tocsin.core import clock
from tocsin.fleet import summary as summaries
from tocsin.fleet import survey


@require_safe
@key_or_session("read", "write", open_on_loopback=True)
def summary(request: HttpRequest) -> HttpResponse:
    """Modules, and how many of their devices are heard from."""
    now = clock.now()
    return _json(summaries.summary(survey.survey(now), now))


@require_safe
@key_or_session("read", "write")
def state(request: HttpRequest) -> HttpResponse:
    """All that is known of instances, heartbeats and devices."""
    return _json(survey.state(clock.now()))


def _json(told: msgspec.Struct) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(told), content_type="application/json")
