"""Monitors: the list, one with its results, and the form that makes and changes them."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Case, Q, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.alerts.models import Alert
from tocsin.checkers import monitors as services
from tocsin.checkers.checks import CheckResult, checkers
from tocsin.checkers.models import CheckRun, Monitor
from tocsin.checkers.options import about
from tocsin.checkers.setup import Wrong, usable
from tocsin.core import clock
from tocsin.core.errors import Rejected, TocsinError, Unknown
from tocsin.core.secret_fields import unmasked
from tocsin.web.chart import bars, chart, metrics_of
from tocsin.web.config_form import titled
from tocsin.web.monitor_form import MonitorForm

SHOWN: Final = 200
CHARTED: Final = 300
RUNS_SHOWN: Final = 25
METRICS_SHOWN: Final = 12
LONGEST_QUERY: Final = 100
_WORST_FIRST: Final = Case(
    When(enabled=False, then=Value(4)),
    When(firing=True, then=Value(0)),
    When(last_status="critical", then=Value(1)),
    When(last_status__in=("warning", "unknown"), then=Value(2)),
    default=Value(3),
)


@require_safe
@login_required
def monitors(request: HttpRequest) -> HttpResponse:
    """All of them, those that are not well first."""
    q = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_QUERY]
    found = list(_asked(q).order_by(_WORST_FIRST, "name")[: SHOWN + 1])
    rows = [{"monitor": each, "bars": bars(each.recent, Monitor.SHOWN)} for each in found[:SHOWN]]
    context = {"rows": rows, "more": len(found) > SHOWN, "q": q}
    return render(request, "web/monitors.html", context)


def _asked(q: str) -> QuerySet[Monitor]:
    known: QuerySet[Monitor] = Monitor.objects.defer("options")
    return known.filter(Q(name__icontains=q) | Q(target__icontains=q)) if q else known.all()


@require_safe
@login_required
def kinds(request: HttpRequest) -> HttpResponse:
    """What a new one may look at."""
    found = [{"name": name, "title": titled(name), "about": about(name)} for name in usable()]
    here = [kind for kind in found if checkers.get(kind["name"]).everywhere]
    there = [kind for kind in found if kind not in here]
    return render(request, "web/monitor_kinds.html", {"here": here, "there": there})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: HttpRequest, checker: str) -> HttpResponse:
    """Make one, or see first what it would find."""
    if checker not in usable():
        raise Http404(f"no monitor can use {checker[:64]}")
    form = MonitorForm(checker, request.POST or None)
    context = {"form": form, "checker": checker, "about": about(checker)}
    valid = form.is_valid()
    if "try" in request.POST:
        context |= _tried(form, checker)
    elif valid and (made := _made(form)) is not None:
        messages.success(request, f"Monitor {made} added. It looks now.")
        return redirect("monitor", made.pk)
    return render(request, "web/monitor_form.html", context)


def _made(form: MonitorForm) -> Monitor | None:
    try:
        return services.create(setup=form.setup, origin=Monitor.UI, now=clock.now())
    except Rejected as error:
        _blame(form, error)
        return None


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, monitor: str) -> HttpResponse:
    """Change one, or see first what it would find."""
    old = get_object_or_404(Monitor, pk=monitor)
    if old.checker not in usable():
        raise Http404(f"there is no checker {old.checker}")
    form = MonitorForm(old.checker, request.POST or None, old=old)
    context = {"form": form, "checker": old.checker, "about": about(old.checker), "monitor": old}
    valid = form.is_valid()
    if "try" in request.POST:
        context |= _tried(form, old.checker, old)
    elif valid and _changed(form, old):
        messages.success(request, f"Monitor {form.cleaned_data['monitor_name']} saved.")
        return redirect("monitor", old.pk)
    return render(request, "web/monitor_form.html", context)


def _changed(form: MonitorForm, old: Monitor) -> bool:
    try:
        services.change(monitor_id=old.pk, setup=form.setup, now=clock.now())
    except Rejected as error:
        _blame(form, error)
        return False
    return True


def _blame(form: MonitorForm, error: Rejected) -> None:
    """Say what is wrong at its field, where it is of one."""
    field = error.field if isinstance(error, Wrong) else ""
    names = {f"monitor_{field}", field.removeprefix("options.").partition(".")[0]} & set(form.fields)
    form.add_error(names.pop() if names else None, error.why if isinstance(error, Wrong) else str(error))


def _tried(form: MonitorForm, checker: str, old: Monitor | None = None) -> dict[str, Any]:
    """What it would find now, whatever else of the form is wrong."""
    if not form.tryable:
        return {"tried": True}
    given = unmasked(checkers.get(checker).Config, form.given, old.options if old else {})
    try:
        return {"tried": True, "found": services.attempt(checker, given)}
    except TocsinError as error:
        return {"tried": True, "failed": str(error)}


@require_safe
@login_required
def one(request: HttpRequest, monitor: str) -> HttpResponse:
    """One, with its newest results."""
    found = get_object_or_404(Monitor, pk=monitor)
    newest = list(CheckRun.objects.filter(monitor=found).order_by("-pk")[:CHARTED])
    names = metrics_of(newest)[:METRICS_SHOWN]
    asked = request.GET.get("metric", "")
    drawn = chart(newest[::-1], asked if asked in names else names[0])
    alert = Alert.objects.filter(fingerprint=found.pk, status=Alert.FIRING).select_related("incident").first()
    context = {
        "monitor": found,
        "options": list(services.shown_options(found).items()),
        "labels": list(found.labels.items()),
        "chart": drawn,
        "metrics": names,
        "runs": newest[:RUNS_SHOWN],
        "alert": alert,
    }
    return render(request, "web/monitor.html", context)


@require_POST
@login_required
def run(request: HttpRequest, monitor: str) -> HttpResponse:
    """Let it look now; the result counts."""
    found = get_object_or_404(Monitor, pk=monitor)
    try:
        _tell(request, services.look_now(monitor=found, now=clock.now()))
    except TocsinError as error:
        messages.error(request, f"{error}.")
    return redirect("monitor", found.pk)


def _tell(request: HttpRequest, found: CheckResult) -> None:
    tell = messages.success if found.status == "ok" else messages.error
    tell(request, f"{found.status.capitalize()}: {found.message}")


@require_POST
@login_required
def enable(request: HttpRequest, monitor: str) -> HttpResponse:
    """Let it look, or no more."""
    enabled = "on" in request.POST
    try:
        done = services.enable(monitor_id=monitor, enabled=enabled, now=clock.now())
    except Unknown as error:
        raise Http404(str(error)) from error
    messages.success(request, f"{done} looks again." if enabled else f"{done} looks no more.")
    return redirect("monitor", done.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove(request: HttpRequest, monitor: str) -> HttpResponse:
    """Ask once, then remove it."""
    found = get_object_or_404(Monitor, pk=monitor)
    if request.method != "POST":
        return render(request, "web/monitor_remove.html", {"monitor": found})
    services.remove(monitor_id=found.pk, now=clock.now())
    messages.success(request, f"Monitor {found} removed.")
    return redirect("monitors")
