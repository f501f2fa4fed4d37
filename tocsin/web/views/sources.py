"""Sources: the list, making one and seeing its token once, revoking it."""

from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from tocsin.alerts import document
from tocsin.alerts import sources as services
from tocsin.alerts.models import ParkedPayload, Source
from tocsin.alerts.suggest import suggest
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.web import connecting, once
from tocsin.web.source_form import SourceForm, as_json
from tocsin.web.views.incidents import number

SHOWN: Final = 500


@require_safe
@login_required
def sources(request: HttpRequest) -> HttpResponse:
    """Those in force, then those that were revoked."""
    found = list(Source.objects.order_by("-enabled", "name")[: SHOWN + 1])
    return render(request, "web/sources.html", {"sources": found[:SHOWN], "more": len(found) > SHOWN})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: HttpRequest) -> HttpResponse:
    """Make one; ``parked`` in the query string says which payload the form begins with a mapping of."""
    parked = ParkedPayload.objects.filter(pk=number(request.GET.get("parked", ""))).first()
    initial = {"mapping": _mapping_of(parked)} if parked and request.method != "POST" else {}
    form = SourceForm(request.POST or None, initial=initial)
    if form.is_valid() and (token := _made(form)):
        source = Source.objects.get(name=form.cleaned_data["name"])
        once.keep(request, _kept(source), token)
        after = f"?parked={parked.pk}" if parked else ""
        return redirect(reverse("source", args=[source.pk]) + after)
    return render(request, "web/source_add.html", {"form": form, "parked": parked})


def _mapping_of(parked: ParkedPayload) -> str:
    try:
        return as_json(suggest(document.read(bytes(parked.body))))
    except Rejected:
        return ""


def _made(form: SourceForm) -> str:
    try:
        return services.create_source(**form.cleaned_data, now=clock.now())
    except Rejected as error:
        form.add_error("name", str(error))
        return ""


def _kept(source: Source) -> str:
    return f"source-{source.pk}"


@require_safe
@never_cache
@login_required
def source(request: HttpRequest, source_id: int) -> HttpResponse:
    """One, and how tools are pointed at it; with its token when it has just been made."""
    found = get_object_or_404(Source, pk=source_id)
    token = once.take(request, _kept(found)) if request.method == "GET" else ""
    parked = ParkedPayload.objects.filter(pk=number(request.GET.get("parked", ""))).defer("body").first()
    context: dict[str, Any] = {
        "source": found,
        "token": token,
        "parked": parked if found.enabled else None,
        "placeholder": connecting.PLACEHOLDER,
        "mapping": as_json(found.mapping),
        "groups": connecting.groups(found, token or connecting.PLACEHOLDER, settings.PUBLIC_URL),
    }
    return render(request, "web/source.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def revoke(request: HttpRequest, source_id: int) -> HttpResponse:
    """Ask once, then end its token's life."""
    found = get_object_or_404(Source, pk=source_id)
    if request.method != "POST":
        return render(request, "web/source_revoke.html", {"source": found})
    try:
        services.revoke_source(name=found.name)
    except Rejected as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Source {found} revoked. Its token opens nothing any more.")
    return redirect("sources")
