"""Heartbeats: the list, one with its pings, and the form that makes and changes them."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Case, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.core import clock, doorbell
from tocsin.core.errors import Rejected, Unknown
from tocsin.fleet import heartbeats as services
from tocsin.fleet.models import Heartbeat
from tocsin.fleet.schedule import lasting
from tocsin.web.heartbeat_form import HeartbeatForm

SHOWN: Final = 200
LONGEST_QUERY: Final = 100
_WORST_FIRST: Final = Case(When(state=Heartbeat.DOWN, then=Value(0)), default=Value(1))


@require_safe
@login_required
def heartbeats(request: HttpRequest) -> HttpResponse:
    """All of them, those that are down first."""
    q = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_QUERY]
    found = list(_named(q).order_by(_WORST_FIRST, "name")[: SHOWN + 1])
    rows = [_row(heartbeat) for heartbeat in found[:SHOWN]]
    return render(request, "web/heartbeats.html", {"rows": rows, "more": len(found) > SHOWN, "q": q})


def _named(q: str) -> QuerySet[Heartbeat]:
    known = Heartbeat.objects.defer("last_text")
    return known.filter(name__icontains=q) if q else known.all()


def _row(heartbeat: Heartbeat) -> dict[str, Any]:
    return {
        "heartbeat": heartbeat,
        "state": heartbeat.seen_at(clock.now()),
        "schedule": heartbeat.schedule.words(),
        "grace": lasting(heartbeat.grace) if heartbeat.schedule else "",
        "url": services.ping_url(heartbeat),
        "labels": list(heartbeat.labels.items()),
    }


@require_safe
@login_required
def heartbeat(request: HttpRequest, heartbeat_id: int) -> HttpResponse:
    """One, with its newest pings and what they said."""
    found = get_object_or_404(Heartbeat, pk=heartbeat_id)
    pings = list(found.pings.order_by("-pk")[: services.PINGS_KEPT])
    return render(request, "web/heartbeat.html", {**_row(found), "pings": pings})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: HttpRequest) -> HttpResponse:
    """Make one."""
    form = HeartbeatForm(request.POST or None)
    made = _made(form) if form.is_valid() else None
    if made is not None:
        messages.success(request, f"Heartbeat {made} added. It is expected from its first ping on.")
        return redirect("heartbeat", made.pk)
    return render(request, "web/heartbeat_form.html", {"form": form})


def _made(form: HeartbeatForm) -> Heartbeat | None:
    given = form.cleaned_data
    try:
        return services.create(
            name=given["name"],
            token=given["token"],
            schedule=form.schedule,
            labels=given["labels"],
            now=clock.now(),
        )
    except Rejected as error:
        form.add_error("token" if "token" in str(error) else "name", str(error))
        return None


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, heartbeat_id: int) -> HttpResponse:
    """Change one."""
    old = get_object_or_404(Heartbeat, pk=heartbeat_id)
    form = HeartbeatForm(request.POST or None, old=old)
    if form.is_valid() and _changed(form, old):
        doorbell.ring()
        messages.success(request, f"Heartbeat {form.cleaned_data['name']} saved.")
        return redirect("heartbeat", old.pk)
    return render(request, "web/heartbeat_form.html", {"form": form, "heartbeat": old})


def _changed(form: HeartbeatForm, old: Heartbeat) -> bool:
    given = form.cleaned_data
    try:
        services.change(
            heartbeat_id=old.pk,
            name=given["name"],
            schedule=form.schedule,
            labels=given["labels"],
            now=clock.now(),
        )
    except Rejected as error:
        form.add_error("name", str(error))
        return False
    return True


@require_POST
@login_required
def pause(request: HttpRequest, heartbeat_id: int) -> HttpResponse:
    """Expect nothing of it for a while."""
    return _act(request, services.pause, heartbeat_id, "is paused. It goes on with its next ping.")


@require_POST
@login_required
def resume(request: HttpRequest, heartbeat_id: int) -> HttpResponse:
    """Expect it again."""
    return _act(request, services.resume, heartbeat_id, "is expected again.")


def _act(request: HttpRequest, act: Callable[..., Heartbeat], heartbeat_id: int, said: str) -> HttpResponse:
    try:
        done = act(heartbeat_id=heartbeat_id, now=clock.now())
    except Unknown as error:
        raise Http404(str(error)) from error
    except Rejected as error:
        messages.error(request, f"{error}.")
    else:
        doorbell.ring()
        messages.success(request, f"{done} {said}")
    return redirect("heartbeats")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove(request: HttpRequest, heartbeat_id: int) -> HttpResponse:
    """Ask once, then remove it."""
    found = get_object_or_404(Heartbeat, pk=heartbeat_id)
    if request.method != "POST":
        return render(request, "web/heartbeat_remove.html", {"heartbeat": found})
    services.remove(heartbeat_id=found.pk, now=clock.now())
    doorbell.ring()
    messages.success(request, f"Heartbeat {found} removed.")
    return redirect("heartbeats")
