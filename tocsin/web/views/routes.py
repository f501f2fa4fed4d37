"""Routes: the tree in force, who gets an alert by it, the editor, and what was in force before."""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.core import clock
from tocsin.core.errors import Rejected, Unknown
from tocsin.notify import loading, routes
from tocsin.notify.loading import Brought
from tocsin.notify.models import RoutingTree
from tocsin.notify.routing import document
from tocsin.notify.routing.asked import Asked, ask
from tocsin.notify.routing.document import Routing
from tocsin.notify.routing.lines import Problem, Unsound
from tocsin.notify.routing.tree import compile_tree
from tocsin.web.route_form import EXAMPLE, AskForm, RoutesForm, as_yaml
from tocsin.web.route_tree import Drawn, draw

HISTORY: Final = 50
PROBLEMS: Final = 100


@require_safe
@login_required
def tree(request: HttpRequest) -> HttpResponse:
    """What is in force, and who gets an alert by it."""
    newest = routes.newest()
    routing, unreadable = _routing(newest)
    asked = AskForm(request.GET if "ask" in request.GET else None, now=clock.now())
    found = _asked(asked, routing)
    context = {
        "tree": newest,
        "unreadable": unreadable,
        "drawn": _drawn(routing, found) if routing else None,
        "ask_form": asked,
        "asked": found,
        "history": RoutingTree.objects.defer("document").order_by("-pk")[:HISTORY],
    }
    return render(request, "web/routes.html", context)


@require_safe
@login_required
def kept(request: HttpRequest, tree_id: int) -> HttpResponse:
    """One that was put in force some time."""
    found = get_object_or_404(RoutingTree, pk=tree_id)
    newest, (routing, unreadable) = routes.newest(), _routing(found)
    context = {
        "tree": found,
        "unreadable": unreadable,
        "drawn": draw(routing) if routing else None,
        "text": as_yaml(found.document) if found.document else "",
        "current": newest is not None and newest.pk == found.pk,
    }
    return render(request, "web/routes_kept.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest) -> HttpResponse:
    """Check what is given, ask it, or put it in force with the channels that it needs."""
    newest = routes.newest()
    beginning = as_yaml(newest.document) if newest and newest.document else EXAMPLE
    form = RoutesForm(request.POST or None, request.FILES or None, initial={"text": beginning})
    asked = AskForm(request.POST if "ask" in request.POST else None, now=clock.now())
    context: dict[str, Any] = {"ask_form": asked}
    if form.is_valid():
        text = form.cleaned_data["text"]
        brought, problems = _read(text)
        if (
            brought is not None
            and "save" in request.POST
            and _put(request, brought, form.cleaned_data["note"])
        ):
            return redirect("routes")
        form = RoutesForm(initial={"text": text, "note": form.cleaned_data["note"]})
        context |= _report(brought, problems, asked) | {"saving": "save" in request.POST}
    return render(request, "web/routes_form.html", {**context, "form": form})


def _read(text: str) -> tuple[Brought | None, Sequence[Problem]]:
    try:
        return loading.read(text), []
    except Unsound as error:
        return None, error.problems[:PROBLEMS]


def _report(brought: Brought | None, problems: Sequence[Problem], asked: AskForm) -> dict[str, Any]:
    """What it comes to, line by line."""
    if brought is None:
        return {"checked": True, "problems": problems}
    there, found = loading.names(), _asked(asked, brought.routing)
    return {
        "checked": True,
        "brought": brought,
        "plans": loading.plans(brought, there),
        "missing": loading.missing(brought, there),
        "drawn": _drawn(brought.routing, found),
        "asked": found,
    }


def _put(request: HttpRequest, brought: Brought, note: str) -> bool:
    try:
        done = loading.put(brought=brought, made_by=request.user.get_username(), note=note, now=clock.now())
    except Rejected as error:  # somebody took a channel's name meanwhile
        messages.error(request, f"Not in force: {error}")
        return False
    made = [plan.name for plan in done.channels if plan.becomes != loading.THERE]
    told = f" Channels made: {', '.join(made)}." if made else ""
    messages.success(request, f"In force from now on, as tree {done.tree}.{told}")
    return True


def _routing(tree: RoutingTree | None) -> tuple[Routing | None, str]:
    """A kept tree, or why it cannot be read, as one of another version; neither where there is none."""
    if tree is None or tree.document is None:
        return None, ""
    try:
        return document.read(tree.document), ""
    except Unsound as error:
        return None, str(error)


def _asked(form: AskForm, routing: Routing | None) -> Asked | None:
    """Who gets what the form asks about; None where it asks nothing, or cannot."""
    if routing is None or not form.is_valid():
        return None
    return ask(compile_tree(routing), form.wanted, form.cleaned_data["at"])


def _drawn(routing: Routing, asked: Asked | None) -> Drawn:
    return draw(routing, {one.route for one in asked.taken} if asked else ())


@require_POST
@login_required
def use(request: HttpRequest, tree_id: int) -> HttpResponse:
    """Put one of before in force again."""
    try:
        done = routes.use(tree_id=tree_id, made_by=request.user.get_username(), now=clock.now())
    except Unknown as error:
        raise Http404(str(error)) from error
    except Rejected as error:
        messages.error(request, f"Tree {tree_id} cannot be used any more: {error}")
        return redirect("routes-kept", tree_id)
    messages.success(request, f"Tree {tree_id} is in force again, as tree {done.pk}.")
    return redirect("routes")


@require_POST
@login_required
def off(request: HttpRequest) -> HttpResponse:
    """Take the routes away: everybody gets everything."""
    routes.put(given=None, made_by=request.user.get_username(), now=clock.now())
    messages.success(request, "Everybody gets everything from now on.")
    return redirect("routes")
