"""Runs: one in full, on the graph that it walks, and the answers to what it asks."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from tocsin.core import clock
from tocsin.core.errors import Rejected, Unknown
from tocsin.orchestration import services, story
from tocsin.orchestration.definition import STAGES
from tocsin.orchestration.models import PipelineRun
from tocsin.web import live, pipeline_marks
from tocsin.web.pipeline_graph import draw, nodes_of


@require_safe
@login_required
def run(request: HttpRequest, run: str) -> HttpResponse:
    """How each of its nodes stands."""
    token = live.token()  # read first: a change after it reloads the page
    found = _found(run)
    (told,) = story.told_runs([found])
    nodes = nodes_of(found.version.document if found.version else STAGES)
    rows = pipeline_marks.taken(told, found.version_id, nodes)
    marks = {row.node.name: row.mark for row in rows}
    context = {
        "token": token,
        "found": found,
        "run": told,
        "drawing": draw(nodes, marks, pipeline_marks.exits_of(told)),
        "rows": rows,
        "others": pipeline_marks.others(told, nodes),
    }
    return render(request, "web/run_page.html", context)


@require_POST
@login_required
def answer(request: HttpRequest, run: str) -> HttpResponse:
    """Say yes or no to what it asks at a node."""
    found = _found(run)
    node, approved = request.POST.get("node", "").replace("\0", ""), request.POST.get("approved") == "yes"
    actor = request.user.get_username()
    try:
        services.approve(run_id=found.run_id, node=node, approved=approved, actor=actor, now=clock.now())
    except Rejected as error:
        messages.error(request, f"{capfirst(str(error))}.")
    else:
        messages.success(request, f"You said {'yes' if approved else 'no'}.")
    if "incident" in request.POST and found.incident_id is not None:
        return redirect("incident", found.incident_id)
    return redirect("run", found.run_id)


def _found(run: str) -> PipelineRun:
    try:
        return services.found(run)
    except Unknown as error:
        raise Http404(str(error)) from error
