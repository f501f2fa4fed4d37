"""Silences: the list, and the form that makes and changes them."""

from collections import Counter
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.alerts import silences as services
from tocsin.alerts.matched import FiringAlerts, matchers_of
from tocsin.alerts.models import Incident, Silence
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.matchers import EQUAL, Matcher
from tocsin.web.silence_form import SilenceForm, as_lines
from tocsin.web.views.incidents import number

SHOWN: Final = 100
PREVIEWED: Final = 10


@require_safe
@login_required
def silences(request: HttpRequest) -> HttpResponse:
    """Those in force, those to come and those that ended lately."""
    now = clock.now()
    known = services.listed(now)
    coming = known.filter(ends_at__gt=now).order_by("ends_at")
    active = _first(coming.filter(starts_at__lte=now))
    pending = _first(coming.filter(starts_at__gt=now).order_by("starts_at"))
    ended = _first(known.filter(ends_at__lte=now).order_by("-ends_at"))
    firing = FiringAlerts()
    counts = firing.counts([*active[:SHOWN], *pending[:SHOWN]]) if active or pending else Counter()
    lists = [("In force", active), ("To come", pending), ("Ended lately", ended)]
    return render(
        request,
        "web/silences.html",
        {"lists": [_list(title, found, counts, now) for title, found in lists], "firing": firing},
    )


def _first(found: QuerySet[Silence]) -> list[Silence]:
    return list(found[: SHOWN + 1])


def _list(title: str, found: list[Silence], counts: Counter[str], now: datetime) -> dict[str, Any]:
    rows = [
        {"silence": s, "state": s.state(now), "matchers": _texts(s), "firing": counts[s.id]}
        for s in found[:SHOWN]
    ]
    return {"title": title, "rows": rows, "more": len(found) > SHOWN}


def _texts(silence: Silence) -> list[str]:
    return [str(matcher) for matcher in matchers_of(silence)]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: HttpRequest) -> HttpResponse:
    """Make one; ``incident`` in the query string says whose labels the form begins with."""
    incident = Incident.objects.filter(pk=number(request.GET.get("incident", ""))).first()
    initial = {"matchers": _labels_of(incident)} if incident else {}
    form = SilenceForm(request.POST or None, initial=initial, now=clock.now())
    return _ask(request, form, {"incident": incident})


def _labels_of(incident: Incident) -> str:
    return as_lines(Matcher(name, EQUAL, value) for name, value in incident.labels.items())


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, silence_id: UUID) -> HttpResponse:
    """Change one; of one that is over it makes another."""
    old, now = get_object_or_404(Silence, pk=str(silence_id)), clock.now()
    form = SilenceForm(request.POST or None, now=now, old=old)
    return _ask(request, form, {"silence": old, "state": old.state(now)})


def _ask(request: HttpRequest, form: SilenceForm, context: dict[str, Any]) -> HttpResponse:
    valid = form.is_valid()
    if "preview" in request.POST:
        context |= _preview(form)
    elif valid and _saved(request, form):
        incident = context.get("incident")
        return redirect("incident", incident.pk) if incident else redirect("silences")
    return render(request, "web/silence.html", {"form": form, **context})


def _preview(form: SilenceForm) -> dict[str, Any]:
    """What the matchers match now, whatever else of the form is wrong."""
    if "matchers" not in form.cleaned_data:
        return {}
    firing = FiringAlerts()
    found = firing.matched_by(form.cleaned_data["matchers"])
    return {"previewed": True, "count": len(found), "matched": found[:PREVIEWED], "firing": firing}


def _saved(request: HttpRequest, form: SilenceForm) -> bool:
    try:
        services.put(wanted=form.wanted(request.user.get_username()), now=clock.now())
    except Rejected as error:
        form.add_error(None, str(error))
        return False
    messages.success(request, "Silence saved. Nobody is told of alerts that it matches.")
    return True


@require_POST
@login_required
def end(request: HttpRequest, silence_id: UUID) -> HttpResponse:
    """End it now."""
    silence = get_object_or_404(Silence, pk=str(silence_id))
    services.expire(silence_id=silence.pk, now=clock.now())
    messages.success(request, "Silence ended. People hear of alerts that still fire.")
    return redirect("silences")
