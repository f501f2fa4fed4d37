"""The feed: what happened and is no alert, newest first."""

from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tocsin.core import loglink
from tocsin.fleet import feed
from tocsin.fleet.models import Event
from tocsin.web.views.incidents import number

PAGE: Final = 50
LONGEST: Final = 200
FILTERS: Final = ("level", "type", "source", "correlation_id")


@require_safe
@login_required
def events(request: HttpRequest) -> HttpResponse:
    """A page of the feed."""
    asked = {name: request.GET.get(name, "").replace("\0", "").strip()[:LONGEST] for name in FILTERS}
    before = number(request.GET.get("before", ""))
    rows = feed.newest(**asked)
    found = list((rows.filter(pk__lt=before) if before else rows)[: PAGE + 1])
    page = found[:PAGE]
    return render(
        request,
        "web/events.html",
        {
            "events": [_row(event) for event in page],
            "asked": asked,
            "levels": [level for level, _ in Event.LEVELS],
            "filtered": any(asked.values()),
            "older": _link(asked, before=page[-1].pk) if len(found) > PAGE else "",
            "newest": _link(asked) if before else "",
        },
    )


def _row(event: Event) -> dict[str, Any]:
    trace = event.correlation_id or event.trace_id
    link = loglink.link(settings.LOG_LINK, trace, event.at, event.at)
    return {"event": event, "data": _shown(event), "log_link": link}


def _shown(event: Event) -> str:
    return msgspec.json.format(msgspec.json.encode(event.data), indent=2).decode() if event.data else ""


def _link(asked: dict[str, str], before: int = 0) -> str:
    given = {**asked, "before": before}
    return "?" + urlencode({name: value for name, value in given.items() if value})
