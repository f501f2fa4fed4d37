"""``/orchestration/pipeline``: runs begun, looked at, resumed, and what they ask answered."""

import threading
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from tocsin.accounts.access import caller, key_or_session
from tocsin.alerts.intake.request import trace_id
from tocsin.api.answers import answered, body, headers, json, read
from tocsin.api.lists import listed
from tocsin.checkers.services import CheckSet
from tocsin.core import clock
from tocsin.orchestration import services, starting, story
from tocsin.orchestration.models import PipelineRun
from tocsin.orchestration.starting import Asked, Begun

MOST_WAITING: Final = 32  # requests that wait for a run, each in a thread; the others are answered at once
_waiting = threading.BoundedSemaphore(MOST_WAITING)
_state: Final = (409, "state")


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody says to what a run asks."""

    node: str
    approved: bool


@csrf_exempt
@require_POST
@key_or_session("write")
def start(request: HttpRequest, wait: bool = False) -> HttpResponse:
    """Begin a run about a payload or an incident."""
    return begun(request, {"sync": True} if wait else {})


@require_safe
def runs(request: HttpRequest) -> HttpResponseBase:
    """Runs, newest first."""
    return listed(request, name="runs")


@require_safe
@key_or_session("read", "write")
def one(request: HttpRequest, run: str) -> HttpResponse:
    """A run with its stages."""
    return answered(lambda: _told(run))


@csrf_exempt
@require_POST
@key_or_session("write")
def resume(request: HttpRequest, run: str) -> HttpResponse:
    """Let one that failed go on."""

    def resumed() -> story.Run:
        services.resume(run_id=run, now=clock.now())
        return _told(run)

    return answered(resumed, 202, refused=_state)


@csrf_exempt
@require_POST
@key_or_session("write")
def approve(request: HttpRequest, run: str) -> HttpResponse:
    """Answer what one asks."""

    def told() -> story.Run:
        said = read(body(request), Answer)
        services.found(run)
        services.approve(run_id=run, actor=caller(request), now=clock.now(), **msgspec.structs.asdict(said))
        return _told(run)

    return answered(told, refused=_state)


def begun(request: HttpRequest, more: Mapping[str, Any]) -> HttpResponse:
    """What becomes of a run that the body asks for; ``more`` stands over what it says."""
    trace = trace_id(headers(request))

    def work() -> HttpResponse:
        asked = msgspec.structs.replace(read(body(request), Asked), **more)
        if asked.dry_run:
            checks = CheckSet()
            checks.run()
            return json(starting.rehearse(asked, checks, clock.now()))
        made = starting.begin(asked, trace, clock.now())
        return _shown(made, asked.sync and _over(made, asked.timeout))

    answer = answered(work)
    answer.headers["X-Correlation-Id"] = trace
    return answer


def _over(made: Begun, seconds: float) -> bool:
    """Wait for the end of what was begun, while not too many wait already."""
    if not _waiting.acquire(blocking=False):
        return False
    try:
        return services.wait(run_ids=made.runs, seconds=seconds)
    finally:
        _waiting.release()


def _shown(made: Begun, over: bool) -> HttpResponse:
    path = f"{reverse('pipeline-runs')}?trace_id={made.trace_id}"
    if len(made.runs) == 1:
        path = reverse("pipeline-run", args=made.runs)
    found = PipelineRun.objects.filter(pk__in=made.runs).order_by("pk")
    content = {
        "status": "finished" if over else "accepted",
        **msgspec.structs.asdict(made),
        "run_id": made.runs[0] if made.runs else None,
        "runs": story.told_runs(list(found)),
        "url": path,
    }
    answer = json(content, 200 if over else 202)
    answer.headers["Location"] = path
    return answer


def _told(run_id: str) -> story.Run:
    return story.told_runs([services.found(run_id)])[0]
