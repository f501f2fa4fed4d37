"""Payloads: trying what one would give, and those that are parked because nobody could read them."""

from typing import Any, Final

import msgspec
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.alerts import document, reading
from tocsin.alerts import parked as services
from tocsin.alerts.decoding import UNREADABLE
from tocsin.alerts.detect import tried
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.models import ParkedPayload, Source
from tocsin.alerts.reading import MAPPED
from tocsin.alerts.sources import sender_of
from tocsin.alerts.suggest import suggest
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.labels import fingerprint
from tocsin.web.source_form import FOUND, ReplayForm, TryForm, as_json, spelled
from tocsin.web.views.incidents import number

SHOWN: Final = 50


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def try_payload(request: HttpRequest) -> HttpResponse:
    """Show what a payload gives, storing nothing. The query string may name a ``source``, whose mapping
    and labels are used, and a ``parked`` payload to begin with."""
    source = Source.objects.filter(pk=number(request.GET.get("source", ""))).first()
    if request.method != "POST":
        return render(request, "web/try.html", {"form": _begun(request, source), "source": source})
    given = _suggested(request.POST) if "suggest" in request.POST else request.POST
    form = TryForm(given)
    context = {"form": form, "source": source, "asked": True}
    return render(request, "web/try.html", context | (_result(form, source) if form.is_valid() else {}))


def _begun(request: HttpRequest, source: Source | None) -> TryForm:
    parked = ParkedPayload.objects.filter(pk=number(request.GET.get("parked", ""))).first()
    mapped = source.mapping if source else {}
    payload = parked.text.replace("\0", "") if parked else ""
    initial = {"payload": payload, "how": MAPPED if mapped else FOUND, "mapping": as_json(mapped)}
    return TryForm(initial=initial)


def _suggested(given: QueryDict) -> QueryDict:
    """The form with a mapping written into it, where one can be made of the payload."""
    given = given.copy()
    try:
        guess = suggest(document.read(_body(given.get("payload", ""))))
    except Rejected:
        guess = {}
    given["how"] = MAPPED if guess else FOUND
    if guess:
        given["mapping"] = as_json(guess)
    return given


def _body(text: str) -> bytes:
    """What a browser sends of a text area has other line ends than what was pasted."""
    return text.replace("\r\n", "\n").strip().encode()


def _result(form: TryForm, source: Source | None) -> dict[str, Any]:
    body, sender = _body(form.cleaned_data["payload"]), sender_of(source) if source else None
    try:
        read_by, found = reading.read(body, **form.means(), sender=sender)
    except Rejected as error:
        refused, reasons = tried(str(error))
        return {"refused": refused, "tried": reasons}
    return {
        "read_by": read_by,
        "count": len(found.alerts),
        "alerts": [_shown(event) for event in found.alerts[:SHOWN]],
        "problems": found.errors[:SHOWN],
        "more_problems": len(found.errors) > SHOWN,
    }


def _shown(event: AlertEvent) -> dict[str, Any]:
    return {"event": event, "fingerprint": event.fingerprint or fingerprint(event.labels)}


@require_safe
@login_required
def parked(request: HttpRequest) -> HttpResponse:
    """All that wait, newest first."""
    rows = ParkedPayload.objects.defer("body").order_by("-pk")
    return render(request, "web/parked.html", {"rows": rows, "most": services.MOST})


@require_safe
@login_required
def parked_one(request: HttpRequest, parked_id: int) -> HttpResponse:
    """One in full."""
    row = get_object_or_404(ParkedPayload, pk=parked_id)
    refused, reasons = tried(row.reason)
    context = {
        "row": row,
        "refused": refused,
        "tried": reasons,
        "kept": len(row.body),
        "text": _pretty(row),
        "form": ReplayForm(),
    }
    return render(request, "web/parked_one.html", context)


def _pretty(row: ParkedPayload) -> str:
    """The body for people to read, indented where it is JSON."""
    try:
        return spelled(msgspec.json.format(bytes(row.body), indent=2).decode())
    except UNREADABLE:
        return spelled(row.text)


@require_POST
@login_required
def replay(request: HttpRequest, parked_id: int) -> HttpResponse:
    """Read one after all and take its alerts in."""
    get_object_or_404(ParkedPayload.objects.defer("body"), pk=parked_id)
    form = ReplayForm(request.POST)
    if not form.is_valid():
        messages.error(request, "There is no such driver or source any more: choose another.")
        return redirect("parked-one", parked_id)
    try:
        done = services.replay(parked_id=parked_id, now=clock.now(), **form.means())
    except Rejected as error:
        messages.error(request, tried(str(error))[0])
        return redirect("parked-one", parked_id)
    count = f"{done.alerts} alert{'' if done.alerts == 1 else 's'}"
    messages.success(request, f"Took in {count} of payload #{parked_id}, read by {done.read_by}.")
    for problem in done.errors[:SHOWN]:
        messages.warning(request, f"alerts[{problem.index}]: {problem.message}")
    return redirect("parked")


@require_POST
@login_required
def forget(request: HttpRequest, parked_id: int) -> HttpResponse:
    """Let go of one."""
    services.forget(parked_id=parked_id)
    messages.success(request, f"Payload #{parked_id} is forgotten.")
    return redirect("parked")
