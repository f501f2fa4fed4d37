"""Incidents: the list, one in full, and what people do to them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from tocsin.alerts.models import Incident
from tocsin.core import clock, config, loglink, severity
from tocsin.core.errors import Rejected
from tocsin.orchestration import services
from tocsin.web import live
from tocsin.web.story import Story

PAGE: Final = 50
COUNTED: Final = 1000
LONGEST_QUERY: Final = 200
STATES: Final = {
    "active": (Incident.OPEN, Incident.ACKNOWLEDGED),
    "open": (Incident.OPEN,),
    "acknowledged": (Incident.ACKNOWLEDGED,),
    "resolved": (Incident.RESOLVED,),
    "closed": (Incident.CLOSED,),
    "all": (),
}


@dataclass(frozen=True)
class Filters:
    """Which incidents are asked for."""

    state: str = "active"
    severity: str = ""
    q: str = ""

    @classmethod
    def read(cls, given: QueryDict) -> "Filters":
        """From a query string; what is not understood is left out."""
        state, level = given.get("state", ""), given.get("severity", "")
        return cls(
            state=state if state in STATES else "active",
            severity=level if level in severity.RANK else "",
            q=given.get("q", "").replace("\0", "").strip()[:LONGEST_QUERY],
        )

    def rows(self) -> QuerySet[Incident]:
        """The incidents, newest first."""
        found = Incident.objects.order_by("-pk")
        if STATES[self.state]:
            found = found.filter(status__in=STATES[self.state])
        if self.severity:
            found = found.filter(severity=self.severity)
        if not self.q:
            return found
        return found.filter(Q(title__icontains=self.q) | Q(pk=number(self.q.removeprefix("#"))))

    def link(self, **more: Any) -> str:
        """The query string of these filters, without those that are off."""
        return "?" + urlencode({name: value for name, value in {**asdict(self), **more}.items() if value})


@require_safe
@login_required
def incidents(request: HttpRequest) -> HttpResponse:
    """The list."""
    filters = Filters.read(request.GET)
    before = number(request.GET.get("before", ""))
    token = live.token()  # read first: a change after it reloads the list
    rows = filters.rows()
    found = list((rows.filter(pk__lt=before) if before else rows)[: PAGE + 1])
    page = found[:PAGE]
    return render(
        request,
        "web/incidents.html",
        {
            "token": token,
            "filters": filters,
            "tabs": _tabs(filters),
            "severities": list(severity.RANK),
            "incidents": page,
            "older": filters.link(before=page[-1].pk) if len(found) > PAGE else "",
            "newest": filters.link() if before else "",
            "any": bool(page) or Incident.objects.exists(),
            "webhook": request.build_absolute_uri("/alerts/webhook/"),
            "needs_key": not config.bound_to_loopback(),
        },
    )


def _tabs(filters: Filters) -> list[dict[str, Any]]:
    return [
        {
            "name": state,
            "link": replace(filters, state=state).link(),
            "current": state == filters.state,
            "count": _count(state) if state in ("open", "acknowledged") else None,
        }
        for state in STATES
    ]


def _count(state: str) -> str:
    """How many there are; counting ends at a thousand, so that a storm does not slow the page."""
    count = Incident.objects.filter(status=state)[:COUNTED].count()
    return f"{count}+" if count == COUNTED else str(count)


def number(text: str) -> int:
    """A number as people give it in an address; 0 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


@require_safe
@login_required
def incident(request: HttpRequest, incident_id: int) -> HttpResponse:
    """One incident: its alerts, what was decided and why, what was sent."""
    token = live.token()  # read first: a change after it reloads the page
    try:
        story = Story(incident_id, clock.now())
    except Rejected as error:
        raise Http404(str(error)) from error
    incident = story.incident
    ended = incident.closed_at or incident.resolved_at or clock.now()
    logs = loglink.link(settings.LOG_LINK, incident.trace_id, incident.opened_at, ended)
    context = {"token": token, "incident": incident, "story": story, "log_link": logs}
    return render(request, "web/incident.html", context)


@require_POST
@login_required
def acknowledge(request: HttpRequest, incident_id: int) -> HttpResponse:
    """Take it on."""
    return _act(request, services.acknowledge, incident_id)


@require_POST
@login_required
def resolve(request: HttpRequest, incident_id: int) -> HttpResponse:
    """Declare it over."""
    return _act(request, services.resolve, incident_id)


def _act(request: HttpRequest, act: Callable[..., Incident], incident_id: int) -> HttpResponse:
    try:
        act(incident_id=incident_id, actor=request.user.get_username(), now=clock.now())
    except Rejected as error:
        messages.error(request, str(error).capitalize())
    return redirect("incident", incident_id)
