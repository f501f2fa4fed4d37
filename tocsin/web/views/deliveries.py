"""Deliveries: the list, one in full, and the dead letters."""

from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from tocsin.core import clock, doorbell
from tocsin.notify import services
from tocsin.notify.models import Delivery, DriverTemplates, NotificationChannel
from tocsin.notify.terms import written_of
from tocsin.orchestration.models import StageExecution
from tocsin.web.channel_form import message_of
from tocsin.web.story import ways
from tocsin.web.views.incidents import number

PAGE: Final = 50
DEAD_SHOWN: Final = 100
COUNTED: Final = 1000
STATES: Final = ("all", *(state for state, _ in Delivery.STATES))


@dataclass(frozen=True)
class Filters:
    """Which deliveries are asked for."""

    state: str = "all"
    channel: str = ""
    incident: str = ""

    @classmethod
    def read(cls, given: QueryDict) -> "Filters":
        """From a query string; what is not understood is left out."""
        state, incident = given.get("state", ""), number(given.get("incident", "").strip().removeprefix("#"))
        return cls(
            state=state if state in STATES else "all",
            channel=given.get("channel", "").replace("\0", "")[:100],
            incident=str(incident or ""),
        )

    def rows(self) -> QuerySet[Delivery]:
        """The deliveries, newest first."""
        found = Delivery.objects.select_related("channel", "incident").order_by("-pk")
        if self.state != "all":
            found = found.filter(state=self.state)
        if self.state in (Delivery.PENDING, Delivery.RETRYING):
            found = found.filter(due_at__isnull=False)  # which it always has, and an index
        if self.channel:
            found = found.filter(channel__name=self.channel)
        return found.filter(incident_id=int(self.incident)) if self.incident else found

    def link(self, **more: Any) -> str:
        """The query string of these filters, without those that are off."""
        return "?" + urlencode({name: value for name, value in {**asdict(self), **more}.items() if value})


@require_safe
@login_required
def deliveries(request: HttpRequest) -> HttpResponse:
    """The list."""
    filters, before = Filters.read(request.GET), _key(request.GET.get("before", ""))
    page, older = _page(filters.rows(), before)
    context = {
        "filters": filters,
        "rows": [{"delivery": row, "title": _title(row)} for row in page],
        "tabs": [
            {"name": state, "link": filters.link(state=state), "current": state == filters.state}
            for state in STATES
        ],
        "channels": NotificationChannel.objects.order_by("name").values_list("name", flat=True),
        "older": filters.link(before=page[-1].pk) if older else "",
        "newest": filters.link() if before else "",
        "dead": _count_dead(),
    }
    return render(request, "web/deliveries.html", context)


def _page(rows: QuerySet[Delivery], before: str) -> tuple[list[Delivery], bool]:
    """Some of them, and whether there are older ones."""
    found = list((rows.filter(pk__lt=before) if before else rows)[: PAGE + 1])
    return found[:PAGE], len(found) > PAGE


def _key(text: str) -> str:
    """A delivery's key as people give it in an address; empty where it is none."""
    return text if text.isascii() and text.isalnum() and len(text) <= 32 else ""


def _title(delivery: Delivery) -> str:
    kept = delivery.message if isinstance(delivery.message, dict) else {}
    return str(kept.get("title") or (delivery.incident.title if delivery.incident else delivery.kind))


def _count_dead() -> str:
    count = Delivery.objects.filter(state=Delivery.DEAD)[:COUNTED].count()
    return f"{count}+" if count == COUNTED else str(count or "")


@require_safe
@login_required
def one(request: HttpRequest, delivery: str) -> HttpResponse:
    """One: what it says, each try that failed, and what it holds."""
    rows = Delivery.objects.select_related("channel", "incident")
    found = rows.filter(pk=_key(delivery)).first()
    if found is None:
        raise Http404("there is no such delivery")
    message = message_of(found.message)
    usual = DriverTemplates.objects.filter(pk=found.channel.driver).first()
    before = _key(request.GET.get("before", ""))
    held, more = _page(rows.filter(folded_into=found.pk).order_by("-pk"), before)
    context = {
        "delivery": found,
        "title": _title(found),
        "shown": written_of(found.channel, usual).preview(message) if message else None,
        "message": message,
        "way": _way(found),
        "failures": [failure for failure in reversed(found.failures) if isinstance(failure, dict)],
        "held": [{"delivery": row, "title": _title(row)} for row in held],
        "older": f"?before={held[-1].pk}" if more else "",
        "newest": "?" if before else "",
    }
    return render(request, "web/delivery_page.html", context)


def _way(delivery: Delivery) -> str:
    """The route that it took, in words."""
    stages = StageExecution.objects.filter(run_id=delivery.run_id, type="notify").values_list(
        "output", flat=True
    )
    return ways(stages).get(delivery.pk, "")


@require_safe
@login_required
def dead_letters(request: HttpRequest) -> HttpResponse:
    """Deliveries that were given up, newest first."""
    dead = Delivery.objects.filter(state=Delivery.DEAD).order_by("-created_at")
    found = list(dead.select_related("channel", "incident").defer("message")[: DEAD_SHOWN + 1])
    context = {
        "rows": found[:DEAD_SHOWN],
        "more": len(found) > DEAD_SHOWN,
        "dead": _count_dead() if len(found) > DEAD_SHOWN else str(len(found)),
    }
    return render(request, "web/dead_letters.html", context)


@require_POST
@login_required
def send_again(request: HttpRequest) -> HttpResponse:
    """Take the chosen dead letters up again, or all of them, also those that no page shows."""
    if "all" in request.POST:
        count = services.requeue_all(now=clock.now())
    else:
        keys = [
            key for key in request.POST.getlist("delivery") if key.isalnum()
        ]  # no database takes all bytes
        count = services.requeue(delivery_ids=keys, now=clock.now())
    doorbell.ring()
    messages.success(request, f"{count} on the way again." if count else "Nothing to send again.")
    following = request.POST.get("next", "")
    safe = following.startswith("/") and url_has_allowed_host_and_scheme(following, allowed_hosts=None)
    return redirect(following if safe else "dead-letters")
