"""Channels and their dead letters."""

from collections import Counter
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.core import clock, doorbell
from tocsin.core.errors import Rejected, TocsinError, UnknownPlugin
from tocsin.notify import fields, services
from tocsin.notify.drivers import drivers
from tocsin.notify.models import Delivery, NotificationChannel
from tocsin.web.channel_form import NAME, ChannelForm

LOOKED_AT: Final = 1000
DEAD_SHOWN: Final = 100


@require_safe
@login_required
def channels(request: HttpRequest) -> HttpResponse:
    """The list, each with how it fares."""
    last, dead = _last_deliveries(), _dead_letters()
    rows = [
        {
            "channel": channel,
            "config": _shown(channel),
            "last": last.get(channel.pk),
            "dead": dead[channel.pk],
        }
        for channel in NotificationChannel.objects.order_by("name")
    ]
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
    try:
        kind = drivers.get(driver)
    except UnknownPlugin as error:
        raise Http404(str(error)) from error
    form = ChannelForm(kind.Config, request.POST or None)
    if form.is_valid() and _added(form, driver):
        messages.success(request, f"Channel {form.cleaned_data[NAME]} added. Send a test to see it work.")
        return redirect("channels")
    return render(request, "web/channel_add.html", {"form": form, "driver": driver})


def _added(form: ChannelForm, driver: str) -> bool:
    try:
        name = form.cleaned_data[NAME]
        services.add_channel(name=name, driver=driver, given=form.given, now=clock.now())
    except Rejected as error:
        form.add_error(NAME, str(error))
        return False
    return True


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Ask once, then remove it."""
    channel = get_object_or_404(NotificationChannel, pk=channel_id)
    if request.method != "POST":
        return render(request, "web/channel_remove.html", {"channel": channel})
    services.remove_channel(name=channel.name)
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
        said = services.send_test(driver=services.sender(channel), now=clock.now())
    except TocsinError as error:
        messages.error(request, f"{channel}: {error}")
    else:
        messages.success(request, f"{channel}: sent. The receiver answered: {said}")
    return redirect("channels")


@require_safe
@login_required
def dead_letters(request: HttpRequest) -> HttpResponse:
    """Deliveries that were given up, newest first."""
    dead = Delivery.objects.filter(state=Delivery.DEAD).order_by("-created_at")
    found = list(dead.select_related("channel", "incident").defer("message")[: DEAD_SHOWN + 1])
    return render(
        request, "web/dead_letters.html", {"rows": found[:DEAD_SHOWN], "more": len(found) > DEAD_SHOWN}
    )


@require_POST
@login_required
def send_again(request: HttpRequest) -> HttpResponse:
    """Take the chosen dead letters up again."""
    keys = [key for key in request.POST.getlist("delivery") if key.isalnum()]  # no database takes all bytes
    count = services.requeue(delivery_ids=keys, now=clock.now())
    doorbell.ring()
    messages.success(request, f"{count} on the way again." if count else "Nothing to send again.")
    return redirect("dead-letters")
