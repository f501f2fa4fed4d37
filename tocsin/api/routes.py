"""``/api/v1/routes/``: the routing tree in force, put there by programs, and who gets an alert by it."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from tocsin.accounts.access import caller, key_or_session
from tocsin.api.answers import answered, body, json, read
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.notify import loading, routes
from tocsin.notify.models import RoutingTree
from tocsin.notify.routing import document
from tocsin.notify.routing.asked import ask
from tocsin.notify.routing.expected import moment_of
from tocsin.notify.routing.tree import Tree, compile_tree

HISTORY: Final = 20


class Given(msgspec.Struct, forbid_unknown_fields=True):
    """A tree to put in force; with None everybody gets everything."""

    routing: dict[str, Any] | None
    note: str = ""


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """Who gets an alert with these labels, at this moment or now; by this tree, or that in force."""

    labels: dict[str, str]
    at: str = ""
    routing: dict[str, Any] | None = None


@csrf_exempt
@require_http_methods(["GET", "HEAD", "PUT"])
def tree(request: HttpRequest) -> HttpResponseBase:
    """What is in force and was before, or another put there."""
    acts: dict[str, Callable[..., HttpResponseBase]] = {"PUT": _put}
    return acts.get(request.method or "", _tell)(request)


@csrf_exempt
@require_POST
@key_or_session("read", "write")
def test(request: HttpRequest) -> HttpResponse:
    """Who gets it and why, and why others do not. Nothing is sent."""

    def asked() -> Any:
        given = read(body(request), Question)
        try:
            at = moment_of(given.at) if given.at else clock.now()
        except ValueError as error:
            raise Rejected(f"at: {error}") from None
        return ask(_tree(given.routing), given.labels, at)

    return answered(asked)


def _tree(routing: dict[str, Any] | None) -> Tree:
    if routing is not None:
        return compile_tree(document.read(routing))
    in_force = routes.in_force()
    if in_force is None:
        raise Rejected("no routes are in force: everybody gets everything; give a tree as routing")
    return in_force.tree


@key_or_session("read", "write")
def _tell(request: HttpRequest) -> HttpResponse:
    return answered(_told)


@key_or_session("write")
def _put(request: HttpRequest) -> HttpResponse:
    def put() -> HttpResponse:
        given = read(body(request), Given)
        routes.put(given=given.routing, made_by=caller(request), note=given.note, now=clock.now())
        return json(_told())

    return answered(put)


def _told() -> dict[str, Any]:
    """The tree in force, drawn too, and what was put in force before."""
    newest = routes.newest()
    history = RoutingTree.objects.defer("document").order_by("-pk")[:HISTORY]
    return {
        "in_force": _kept(newest) if newest else None,
        "routing": newest.document if newest else None,
        "drawn": loading.drawn(newest) if newest else [],
        "history": [_kept(each) for each in history],
    }


def _kept(each: RoutingTree) -> dict[str, Any]:
    return {"id": each.pk, "made_by": each.made_by, "note": each.note, "created_at": each.created_at}
