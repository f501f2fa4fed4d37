"""Pipelines: the definitions in their order, one with how it went lately, its versions, and the editor."""

from collections.abc import Iterable, Sequence
from difflib import unified_diff
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.alerts import reading
from tocsin.alerts.intake.journal import Post
from tocsin.alerts.models import Incident
from tocsin.checkers.services import CheckSet
from tocsin.core import clock
from tocsin.core.errors import Rejected, TocsinError
from tocsin.core.ids import new_id
from tocsin.orchestration import definitions, history, trial
from tocsin.orchestration.definition import Problem, Unsound
from tocsin.orchestration.graph import Graph, graph_of
from tocsin.orchestration.models import PipelineDefinition, PipelineVersion
from tocsin.orchestration.nodes import Context
from tocsin.orchestration.shown import restored, shown
from tocsin.web import pipeline_marks
from tocsin.web.node_kinds import kinds
from tocsin.web.pipeline_form import PipelineForm, TrialForm, decoded
from tocsin.web.pipeline_graph import Node, draw, marked, nodes_of
from tocsin.web.source_form import as_json
from tocsin.web.views.incidents import number

INCIDENTS_SHOWN: Final = 5
RUNS_SHOWN: Final = 15
VERSIONS_SHOWN: Final = 50


@require_safe
@login_required
def pipelines(request: HttpRequest) -> HttpResponse:
    """All of them, in the order they are asked."""
    walked: dict[int | None, list[history.Walked]] = {}
    for run in history.recent():
        walked.setdefault(run.definition_id, []).append(run)
    found = PipelineDefinition.objects.order_by("priority", "id")
    rows = [_row(definition, walked.get(definition.pk, [])) for definition in found]
    titles = _titles([pk for row in rows for pk in row["incidents"]])
    for row in rows:
        row["incidents"] = [(pk, titles[pk]) for pk in row["incidents"] if pk in titles]
    return render(request, "web/pipelines.html", {"rows": rows, "built_in": _falls_through(found)})


def _row(definition: PipelineDefinition, runs: Sequence[history.Walked]) -> dict[str, Any]:
    incidents = dict.fromkeys(run.incident_id for run in runs if run.incident_id is not None)
    return {
        "definition": definition,
        "nodes": len(definition.definition.get("nodes", [])),
        "last": runs[0] if runs else None,
        "incidents": list(incidents)[:INCIDENTS_SHOWN],
    }


def _titles(incident_ids: Sequence[int]) -> dict[int, str]:
    return dict(Incident.objects.filter(pk__in=incident_ids).values_list("pk", "title"))


def _falls_through(found: Iterable[PipelineDefinition]) -> bool:
    """Whether there are incidents that none of them takes."""
    return not any(definition.enabled and not definition.matchers for definition in found)


@require_safe
@login_required
def pipeline(request: HttpRequest, definition_id: int) -> HttpResponse:
    """One, with how its nodes were left lately."""
    found = get_object_or_404(PipelineDefinition, pk=definition_id)
    runs = [run for run in history.recent() if run.definition_id == found.pk][: history.COUNTED]
    by_node = history.by_node(run.run_id for run in runs)
    nodes = nodes_of(found.definition)
    configs = pipeline_marks.configs(shown(found.definition))
    rows = [
        {"node": node, "config": configs.get(node.name), "history": (lately := by_node.get(node.name)),
         "left": pipeline_marks.left_by(lately) if lately else ""}
        for node in nodes
    ]  # fmt: skip
    context = {
        "definition": found,
        "drawing": draw(nodes, pipeline_marks.of_history(by_node)),
        "rows": rows,
        "counted": len(runs),
        "runs": runs[:RUNS_SHOWN],
        "versions": found.versions.defer("document").order_by("-number")[:VERSIONS_SHOWN],
    }
    return render(request, "web/pipeline.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: HttpRequest) -> HttpResponse:
    """Make one."""
    return _editor(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, definition_id: int) -> HttpResponse:
    """Change one."""
    return _editor(request, get_object_or_404(PipelineDefinition, pk=definition_id))


def _editor(request: HttpRequest, old: PipelineDefinition | None) -> HttpResponse:
    """Save what is given; or only check it, or try it, and show what comes of that."""
    stored = old.definition if old else {}
    form = PipelineForm(request.POST or None, old=old, document=shown(stored) if old else None)
    text = request.POST.get("document", form.initial["document"])
    document, graph, problems = _checked(text, stored)
    saving = request.method == "POST" and not {"check", "try"} & request.POST.keys()
    if saving and form.is_valid() and graph is not None and (done := _saved(request, form, document)):
        return redirect("pipeline", done.pk)
    trial_form = TrialForm(request.POST if "try" in request.POST else None)
    context = _drawn(document, problems) | (_tried(trial_form, form, document, graph) if graph else {})
    context |= {"form": form, "trial_form": trial_form, "definition": old, "kinds": kinds(), "saving": saving}
    return render(request, "web/pipeline_form.html", context)


def _checked(text: str, stored: dict[str, Any]) -> tuple[Any, Graph | None, list[Problem]]:
    """A document, its graph where it is sound, and else what is wrong."""
    document = None
    try:
        document = decoded(text)
        return document, graph_of(restored(document, stored)), []
    except Unsound as error:
        return document, None, error.problems


def _saved(request: HttpRequest, form: PipelineForm, document: Any) -> PipelineDefinition | None:
    actor, now = request.user.get_username(), clock.now()
    try:
        done = definitions.put(**form.wanted, document=document, actor=actor, now=now)
    except Rejected as error:
        form.add_error(None, capfirst(str(error)))
        return None
    messages.success(request, f"Pipeline {done} saved: version {done.version}.")
    return done


def _drawn(document: Any, problems: Sequence[Problem]) -> dict[str, Any]:
    nodes = nodes_of(document)
    return {
        "problems": [{"problem": problem, "anchor": _anchor(nodes, problem)} for problem in problems],
        "drawing": draw(nodes, marked(problems)),
        "count": len(nodes),
    }


def _anchor(nodes: Sequence[Node], problem: Problem) -> str:
    return next((node.anchor for node in nodes if node.name == problem.node), "")


def _tried(asked: TrialForm, form: PipelineForm, document: Any, graph: Graph) -> dict[str, Any]:
    """What every node would give, and whether the incident would be taken at all."""
    if not asked.is_valid():
        return {}
    try:
        found = _trial(asked, graph)
    except TocsinError as error:
        return {"refused": str(error)}
    rows = pipeline_marks.rehearsed(nodes_of(document), found)
    drawing = draw([row.node for row in rows], {row.node.name: row.mark for row in rows}, found.exits)
    return {"trial": found, "tried": rows, "drawing": drawing, "passed_by": not form.takes(found.labels)}


def _trial(form: TrialForm, graph: Graph) -> trial.Trial:
    now, checks = clock.now(), CheckSet()
    checks.run()
    context = Context(now, checks)
    if form.cleaned_data["incident"]:
        return trial.on_incident(graph, int(form.cleaned_data["incident"]), context)
    body = form.cleaned_data["payload"].replace("\r\n", "\n").strip().encode()
    driver, found = reading.read(body)
    if not found.alerts:
        raise Rejected("it speaks of no alert")
    return trial.on_post(graph, Post(found.alerts, driver, new_id(), now), context)


@require_POST
@login_required
def enable(request: HttpRequest, definition_id: int) -> HttpResponse:
    """Let incidents walk it, or no more."""
    found, enabled = get_object_or_404(PipelineDefinition, pk=definition_id), "on" in request.POST
    definitions.enable(name=found.name, enabled=enabled, now=clock.now())
    messages.success(request, f"{found} is {'on' if enabled else 'off: runs under way go on'}.")
    return redirect("pipeline", found.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove(request: HttpRequest, definition_id: int) -> HttpResponse:
    """Ask once, then remove it."""
    found = get_object_or_404(PipelineDefinition, pk=definition_id)
    if request.method != "POST":
        return render(request, "web/pipeline_remove.html", {"definition": found})
    try:
        definitions.remove(name=found.name)
    except Rejected as error:
        messages.error(request, f"{capfirst(str(error))}.")
        return redirect("pipeline", found.pk)
    messages.success(request, f"Pipeline {found} removed.")
    return redirect("pipelines")


@require_safe
@login_required
def version(request: HttpRequest, definition_id: int, version: str) -> HttpResponse:
    """One version, beside the newest, the one before it, or the one that ``with`` names."""
    one = _version(definition_id, number(version))
    newest = one.definition.version
    compared = number(request.GET.get("with", "")) or (newest if one.number != newest else newest - 1)
    other = _version(definition_id, compared or newest)
    numbers = one.definition.versions.exclude(pk=one.pk).order_by("-number").values_list("number", flat=True)
    document = as_json(shown(one.document))
    context = {
        "definition": one.definition,
        "version": one,
        "other": other,
        "numbers": numbers[:VERSIONS_SHOWN],
        "drawing": draw(nodes_of(one.document), {}),
        "document": document,
        "diff": _diff(document, as_json(shown(other.document))),
    }
    return render(request, "web/pipeline_version.html", context)


def _version(definition_id: int, version_number: int) -> PipelineVersion:
    versions = PipelineVersion.objects.select_related("definition")
    return get_object_or_404(versions, definition_id=definition_id, number=version_number)


def _diff(old: str, new: str) -> list[tuple[str, str]]:
    """Lines with how each differs, without the names of files that come first."""
    lines = list(unified_diff(old.splitlines(), new.splitlines(), lineterm=""))[2:]
    kinds = {"+": "added", "-": "taken", "@": "place"}
    return [(kinds.get(line[:1], ""), line) for line in lines]


@require_POST
@login_required
def restore(request: HttpRequest, definition_id: int, version: str) -> HttpResponse:
    """Bring a version back, as a new one."""
    one = _version(definition_id, number(version))
    found = one.definition
    try:
        done = definitions.bring_back(version=one, actor=request.user.get_username(), now=clock.now())
    except Rejected as error:
        messages.error(request, f"Version {one.number} cannot be used any more: {error}.")
        return redirect("pipeline-version", found.pk, one.number)
    messages.success(request, f"Version {one.number} is back, as version {done.version}.")
    return redirect("pipeline", found.pk)
