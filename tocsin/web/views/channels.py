"""Channels: the list, the form that makes and changes one, and what is done to it."""

from collections import Counter
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.core import clock
from tocsin.core.errors import Rejected, TocsinError, UnknownPlugin
from tocsin.notify import fields, services
from tocsin.notify.drivers import NEW, drivers
from tocsin.notify.models import Delivery, NotificationChannel
from tocsin.notify.setup import Wrong
from tocsin.notify.terms import terms_of
from tocsin.notify.written import FIELDS
from tocsin.web.channel_form import MODES, PREFIX, ChannelForm, recent

LOOKED_AT: Final = 1000


@require_safe
@login_required
def channels(request: HttpRequest) -> HttpResponse:
    """The list, each with how it fares."""
    last, dead, now, names = _last_deliveries(), _dead_letters(), clock.now(), drivers.names()
    rows = []
    for channel in NotificationChannel.objects.select_related("fallback", "pace").order_by("name"):
        pace, terms = getattr(channel, "pace", None), terms_of(channel)
        rows.append(
            {
                "channel": channel,
                "config": _shown(channel),
                "last": last.get(channel.pk),
                "dead": dead[channel.pk],
                "known": channel.driver in names,
                "mode": MODES[terms.mode] if terms.mode != NEW else "",
                "rate": f"{terms.rate.per_second * 60:g}" if channel.per_minute and terms.rate else "",
                "failing": pace if pace and pace.failing_since else None,
                "paused_until": pace.paused_until
                if pace and pace.paused_until and pace.paused_until > now
                else None,
            }
        )
    looked_at = LOOKED_AT if dead.total() == LOOKED_AT else 0
    return render(request, "web/channels.html", {"rows": rows, "kinds": _kinds(), "dead_counted": looked_at})


def _kinds() -> list[dict[str, str]]:
    return [{"name": name, "about": fields.about(name)} for name in drivers.names()]


def _last_deliveries() -> dict[int, dict[str, Any]]:
    """By channel, its newest delivery among the newest thousand of all."""
    columns = ("channel_id", "state", "sent_at", "created_at", "last_error")
    newest = Delivery.objects.order_by("-pk").values(*columns)[:LOOKED_AT]
    return {row["channel_id"]: row for row in reversed(newest)}


def _dead_letters() -> Counter[int]:
    dead = Delivery.objects.filter(state=Delivery.DEAD)
    return Counter(dead.values_list("channel_id", flat=True)[:LOOKED_AT])


def _shown(channel: NotificationChannel) -> dict[str, Any]:
    try:
        return services.masked(channel)
    except UnknownPlugin as error:
        return {"driver": str(error)}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: HttpRequest, driver: str) -> HttpResponse:
    """Ask for a driver's config and make a channel of it."""
    return _form(request, driver, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Change one; what is secret stays as it is where nothing is typed."""
    found = get_object_or_404(NotificationChannel.objects.select_related("fallback"), pk=channel_id)
    return _form(request, found.driver, found)


def _form(request: HttpRequest, driver: str, old: NotificationChannel | None) -> HttpResponse:
    try:
        form = ChannelForm(driver, request.POST or None, old=old)
    except UnknownPlugin as error:
        raise Http404(str(error)) from error
    if form.is_valid() and (done := _saved(form, driver, old)) is not None:
        messages.success(
            request, f"Channel {done} {'saved' if old else 'added'}. Send a test to see it work."
        )
        return redirect("channels")
    context = {
        "form": form,
        "driver": driver,
        "channel": old,
        "about": fields.about(driver),
        "recent": recent(),
        "known": FIELDS.items(),
    }
    return render(request, "web/channel_form.html", context)


def _saved(form: ChannelForm, driver: str, old: NotificationChannel | None) -> NotificationChannel | None:
    name, given, setup = form.cleaned_data[f"{PREFIX}name"], form.given, form.setup
    try:
        if old is None:
            return services.add_channel(name=name, driver=driver, given=given, setup=setup, now=clock.now())
        return services.change_channel(channel_id=old.pk, name=name, given=given, setup=setup)
    except Wrong as error:
        field = f"{PREFIX}{error.field}"
        form.add_error(field if field in form.fields else None, capfirst(f"{error.why}."))
    except Rejected as error:
        form.add_error(None, capfirst(str(error)))
    return None


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Ask once, then remove it."""
    channel = get_object_or_404(NotificationChannel, pk=channel_id)
    if request.method != "POST":
        return render(request, "web/channel_remove.html", {"channel": channel})
    services.remove_channel(name=channel.name, now=clock.now())
    messages.success(request, f"Channel {channel} removed.")
    return redirect("channels")


@require_POST
@login_required
def enable(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Switch it on or off."""
    channel = get_object_or_404(NotificationChannel, pk=channel_id)
    services.enable_channel(name=channel.name, enabled="on" in request.POST)
    return redirect("channels")


@require_POST
@login_required
def send_test(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Send a test message for real and tell what the receiver said."""
    channel = get_object_or_404(NotificationChannel, pk=channel_id)
    try:
        said = services.send_test_to(channel=channel, now=clock.now())
    except TocsinError as error:
        messages.error(request, f"{channel}: {error}")
    else:
        messages.success(request, f"{channel}: sent. The receiver answered: {said}")
    return redirect("channels")
