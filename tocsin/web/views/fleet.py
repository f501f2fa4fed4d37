"""The fleet: modules with their devices, one instance in full, and how another one joins."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.checkers.models import CheckRun
from tocsin.core import clock, config, doorbell
from tocsin.core.errors import Rejected
from tocsin.core.terminal import age
from tocsin.fleet import enrolment, instances, survey
from tocsin.fleet.models import Event, Instance
from tocsin.fleet.summary import AGENTS, HEARTBEATS, STATUSES, Device, Module, status_of
from tocsin.web import live, once, sparkline
from tocsin.web.agent_form import AgentForm

SHOWN: Final = 2_500  # devices of a module
LONGEST_QUERY: Final = 100
DRAWN: Final = timedelta(hours=12)
MOST_RUNS: Final = 20_000
ALERTS_SHOWN: Final = 50
EVENTS_SHOWN: Final = 20
COMMANDS_SHOWN: Final = 10
LONG_NAME: Final = 22  # cut by the page where it is narrow: told in full by its title
TOKEN: Final = "enrolment"


@require_safe
@login_required
def fleet(request: HttpRequest) -> HttpResponse:
    """All modules, narrowed by state and text."""
    token, now = live.token(), clock.now()  # read first: a change after it reloads the page
    q = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_QUERY]
    state = request.GET.get("state", "")
    state = state if state in STATUSES else ""
    known = [module for module in survey.survey(now) if module.devices]
    return render(
        request,
        "web/fleet.html",
        {
            "token": token,
            "q": q,
            "state": state,
            "tabs": _tabs(known, state, q),
            "modules": [shown for module in known if (shown := _module(module, state, q, now))["groups"]],
            "known": bool(known),
            "hub": config.flag("CLUSTER_ENABLED"),
        },
    )


def _tabs(known: list[Module], state: str, q: str) -> list[dict[str, Any]]:
    counts: Counter[str] = sum((module.counts for module in known), Counter())
    tabs = [("all", "", counts.total()), *((name, name, counts[name]) for name in STATUSES)]
    return [
        {"name": name, "link": _link(state=value, q=q), "count": count, "current": value == state}
        for name, value, count in tabs
        if count or value == state
    ]


def _link(**given: str) -> str:
    return "?" + urlencode({name: value for name, value in given.items() if value})


def _module(module: Module, state: str, q: str, now: datetime) -> dict[str, Any]:
    wanted = [device for device in module.devices if _wanted(device, state, q.casefold())]
    groups: dict[str, list[dict[str, Any]]] = {}
    for device in wanted[:SHOWN]:
        groups.setdefault(device.status, []).append(_cell(module.name, device, now))
    counts = Counter(device.status for device in wanted)
    return {
        "name": module.name,
        "total": len(module.devices),
        "online": module.online,
        "groups": [(status, counts[status], cells) for status, cells in groups.items()],
        "more": max(0, len(wanted) - SHOWN),
    }


def _wanted(device: Device, state: str, q: str) -> bool:
    if state and device.status != state:
        return False
    return not q or q in device.id.casefold() or q in device.also.casefold()


def _cell(module: str, device: Device, now: datetime) -> dict[str, Any]:
    return {
        "name": device.id,
        "title": device.id if len(device.id) > LONG_NAME else "",
        "link": _page_of(module, device),
        "seen": age(device.seen_at, now) if device.seen_at else "never",
    }


def _page_of(module: str, device: Device) -> str:
    if module == AGENTS:
        return f"/fleet/{device.key}/"
    if module == HEARTBEATS:
        return f"/heartbeats/{device.key}/"
    incident = next((alert.incident_id for alert in device.alerts if alert.incident_id), 0)
    return f"/incidents/{incident}/" if incident else ""


@require_safe
@login_required
def instance(request: HttpRequest, instance_id: int) -> HttpResponse:
    """One: what it told last, how that developed, what fires for it, what happened to it."""
    token, now = live.token(), clock.now()
    found = get_object_or_404(Instance, pk=instance_id)
    names = {found.instance_id, found.hostname} - {""}
    alerts = survey.firing_on(found, ALERTS_SHOWN + 1)
    return render(
        request,
        "web/instance.html",
        {
            "token": token,
            "instance": found,
            "status": status_of(found),
            "has_key": found.key_digest and found.key_revoked_at is None,
            "offset": round(abs(found.clock_offset), 1),
            "way": "ahead" if found.clock_offset > 0 else "behind",
            "checks": _checks(found, now),
            "alerts": alerts[:ALERTS_SHOWN],
            "more_alerts": len(alerts) > ALERTS_SHOWN,
            "allows": sorted(found.allows.items()),
            "commands": list(found.commands.order_by("-pk")[:COMMANDS_SHOWN]),
            "events": list(Event.objects.filter(source__in=names).order_by("-pk")[:EVENTS_SHOWN]),
        },
    )


def _checks(found: Instance, now: datetime) -> list[dict[str, Any]]:
    """Its checks, the worst first, each with its main metric over the last hours."""
    history = _history(found, now - DRAWN)
    rows = [
        {
            "name": name,
            "status": told["status"],
            "message": told["message"],
            "at": _moment(told.get("at")),
            "since": _moment(told.get("since")),
            "measured": (measured := sparkline.main_metric(history[name])),
            "curve": sparkline.draw(measured, now - DRAWN, now) if measured else "",
        }
        for name, told in found.checks.items()
    ]
    rank = {status: place for place, status in enumerate(STATUSES)}
    return sorted(rows, key=lambda row: (rank.get(row["status"], len(rank)), row["name"]))


def _history(found: Instance, since: datetime) -> dict[str, list[tuple[datetime, dict[str, Any]]]]:
    runs = CheckRun.objects.filter(
        instance=found.instance_id, checker__in=list(found.checks), started_at__gte=since, monitor=None
    )
    rows = runs.order_by("checker", "-started_at").values_list("checker", "started_at", "metrics")
    history = defaultdict(list)
    for checker, at, metrics in rows[:MOST_RUNS]:
        history[checker].append((at, metrics))
    return defaultdict(list, {name: told[::-1] for name, told in history.items()})


def _moment(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def add(request: HttpRequest) -> HttpResponse:
    """Make a token that agents enrol with, and show it once."""
    hub = config.flag("CLUSTER_ENABLED")
    form = AgentForm(request.POST or None)
    if hub and form.is_valid():
        by, uses = request.user.get_username(), form.cleaned_data["uses"]
        once.keep(request, TOKEN, enrolment.offer(now=clock.now(), uses=uses, by=by))
        return redirect("fleet-add")
    token = once.take(request, TOKEN) if request.method == "GET" else ""
    context = {
        "hub": hub,
        "form": form,
        "enrolment": token,
        "url": settings.PUBLIC_URL,
        "loopback": config.bound_to_loopback() and not config.text("TOCSIN_PUBLIC_URL"),
    }
    return render(request, "web/fleet_add.html", context)


@require_POST
@login_required
def revoke(request: HttpRequest, instance_id: int) -> HttpResponse:
    """End its key's life."""
    found = get_object_or_404(Instance, pk=instance_id)
    try:
        enrolment.revoke(instance_id=found.instance_id, now=clock.now())
    except Rejected as error:
        messages.error(request, f"{error}.")
    else:
        messages.success(
            request, f"The key of {found} is revoked: it opens nothing any more, within five seconds."
        )
    return redirect("instance", found.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove(request: HttpRequest, instance_id: int) -> HttpResponse:
    """Ask once, then let go of it."""
    found = get_object_or_404(Instance, pk=instance_id)
    if request.method != "POST":
        return render(request, "web/instance_remove.html", {"instance": found})
    instances.remove(instance_id=found.instance_id, now=clock.now())
    doorbell.ring()
    messages.success(request, f"Instance {found} removed.")
    return redirect(reverse("fleet"))
