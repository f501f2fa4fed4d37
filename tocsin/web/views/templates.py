"""What channels say: templates of all channels of a driver, and what templates make of a recent message."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.core import clock
from tocsin.core.errors import UnknownPlugin
from tocsin.notify import fields, services
from tocsin.notify.drivers import drivers
from tocsin.notify.message import Message
from tocsin.notify.models import Delivery, DriverTemplates, NotificationChannel
from tocsin.notify.setup import Wrong
from tocsin.notify.written import FIELDS, Written
from tocsin.web.channel_form import PREFIX, TemplatesForm, message_of, recent, written


@require_safe
@login_required
def templates(request: HttpRequest) -> HttpResponse:
    """The drivers, and which of them have templates."""
    kept = {row.driver: row for row in DriverTemplates.objects.all()}
    used = set(NotificationChannel.objects.values_list("driver", flat=True))
    rows = [
        {"name": name, "about": fields.about(name), "templates": kept.get(name), "used": name in used}
        for name in sorted(drivers.names(), key=lambda name: (name not in kept, name not in used, name))
    ]
    return render(request, "web/templates.html", {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def of_driver(request: HttpRequest, driver: str) -> HttpResponse:
    """What its channels say that have no templates of their own."""
    try:
        about = fields.about(driver)
    except UnknownPlugin as error:
        raise Http404(str(error)) from error
    kept = DriverTemplates.objects.filter(pk=driver).first()
    initial = {f"{PREFIX}{name}": getattr(kept, name, "") for name in ("subject_template", "body_template")}
    form = TemplatesForm(request.POST or None, initial=initial)
    if form.is_valid() and _saved(form, request, driver):
        return redirect("templates")
    context = {
        "form": form, "driver": driver, "about": about, "recent": recent(), "known": FIELDS.items(),
        "channels": NotificationChannel.objects.filter(driver=driver).order_by("name").defer("config"),
    }  # fmt: skip
    return render(request, "web/driver_templates.html", context)


def _saved(form: TemplatesForm, request: HttpRequest, driver: str) -> bool:
    subject, body = written(request.POST)
    try:
        services.put_templates(driver=driver, subject=subject, body=body)
    except Wrong as error:
        form.add_error(f"{PREFIX}{error.field}", capfirst(f"{error.why}."))
        return False
    messages.success(request, f"Templates of {driver} saved.")
    return True


@require_POST
@login_required
def preview(request: HttpRequest) -> HttpResponse:
    """What templates that somebody types make of a message; what is wrong beside each."""
    subject, body = written(request.POST)
    message = _message(request.POST.get("message", ""))
    shown = Written(subject, body).preview(message)
    context: dict[str, Any] = {
        "preview": shown,
        "message": message,
        "subject_wrong": shown.problems.get("subject", ""),
        "body_wrong": shown.problems.get("body", ""),
    }
    return render(request, "web/preview.html", context)


def _message(key: str) -> Message:
    """The message of a delivery; the test message where there is none."""
    found = (
        Delivery.objects.filter(pk=key).values_list("message", flat=True).first() if key.isalnum() else None
    )
    kept = message_of(found) if found else None
    return kept or services.test_message(clock.now(), "")
