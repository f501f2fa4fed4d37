"""``/orchestration/definitions/``: pipelines as data, read, changed, checked and run. Secrets that nodes
hold are dots to everybody; dots given back stand for what they hid."""

from collections.abc import Callable
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.accounts.access import caller, key_or_session
from tocsin.api.answers import answered, body, json, read
from tocsin.api.pipelines import begun
from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.orchestration import definitions, setup
from tocsin.orchestration.definition import Unsound
from tocsin.orchestration.models import PipelineDefinition


@require_safe
@key_or_session("read", "write")
def listed(request: HttpRequest) -> HttpResponse:
    """All of them, in the order they are asked."""
    rows = PipelineDefinition.objects.order_by("priority", "pk")
    return json({"definitions": [setup.told(row) for row in rows]})


@csrf_exempt
@require_http_methods(["GET", "HEAD", "PUT", "DELETE"])
def one(request: HttpRequest, name: str) -> HttpResponseBase:
    """One: told with its versions, set up, or removed."""
    acts: dict[str, Callable[..., HttpResponseBase]] = {"PUT": _put, "DELETE": _remove}
    return acts.get(request.method or "", _tell)(request, name)


@csrf_exempt
@require_POST
@key_or_session("read", "write")
def validate(request: HttpRequest, name: str) -> HttpResponse:
    """What is wrong with a document, or with the one that is stored."""

    def problems() -> dict[str, Any]:
        content = body(request)
        try:
            definitions.check(name=name, document=_document(content) if content.strip() else None)
        except Unsound as error:
            return {"valid": False, "problems": [each.model_dump() for each in error.problems]}
        return {"valid": True, "problems": []}

    return answered(problems)


@csrf_exempt
@require_POST
@key_or_session("write")
def execute(request: HttpRequest, name: str) -> HttpResponse:
    """Begin a run by this one, whatever its matchers say, or rehearse it."""
    return begun(request, {"definition": name})


@key_or_session("read", "write")
def _tell(request: HttpRequest, name: str) -> HttpResponse:
    return answered(lambda: setup.told_in_full(definitions.named(name)))


@key_or_session("write")
def _put(request: HttpRequest, name: str) -> HttpResponse:
    def put() -> HttpResponse:
        wanted = setup.read({"name": name, **read(body(request), dict[str, Any])})
        if wanted.name != name:
            raise Rejected("name: it is the path's")
        (step,) = definitions.apply([wanted], actor=caller(request), now=clock.now())
        told = msgspec.structs.asdict(setup.told(definitions.named(name)))
        return json({**told, "changes": step.changes}, 201 if step.kind == "add" else 200)

    return answered(put)


def _document(content: bytes) -> Any:
    """The document alone, or as it is put."""
    given = read(content, Any)
    wrapped = isinstance(given, dict) and "definition" in given and "nodes" not in given
    return given["definition"] if wrapped else given


@key_or_session("write")
def _remove(request: HttpRequest, name: str) -> HttpResponse:
    def remove() -> dict[str, str]:
        definitions.remove(name=name)
        return {"removed": name}

    return answered(remove, refused=(409, "state"))
