"""Where Slack posts, and where people say who they are. Nothing of a post is read before its signature is
checked."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.text import capfirst
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from tocsin.accounts import services as accounts
from tocsin.accounts.models import ChatIdentity
from tocsin.alerts.intake.throttle import Throttle
from tocsin.chat import afterwards, desk, linking
from tocsin.chat.desk import Answer
from tocsin.chat.linking import Link
from tocsin.chat.signature import is_slacks
from tocsin.core import clock, config
from tocsin.core.errors import Rejected

MOST_BYTES: Final = 1024 * 1024  # a message travels along with the button that was pressed below it
MOST_FIELDS: Final = 50
_failed: Final = Throttle()


@require_POST
@csrf_exempt
def actions(request: HttpRequest) -> HttpResponse:
    """A button was pressed, or a form sent in."""
    return _answered(request, lambda body: desk.interaction(_form(body).get("payload", ""), clock.now()))


@require_POST
@csrf_exempt
def commands(request: HttpRequest) -> HttpResponse:
    """``/tocsin …`` was written."""
    return _answered(request, lambda body: desk.command(_form(body), clock.now()))


@require_POST
@csrf_exempt
def events(request: HttpRequest) -> HttpResponse:
    """Slack asks whether this is the place for its events."""
    return _answered(request, lambda body: desk.event(_json(body)))


def _answered(request: HttpRequest, ask: Callable[[bytes], Answer]) -> HttpResponse:
    secret = config.text("SLACK_SIGNING_SECRET")
    if not secret:
        return _said(404, "SLACK_SIGNING_SECRET is not set")
    try:
        body = request.body if _length(request) <= MOST_BYTES else None
    except RequestDataTooBig:
        body = None
    if body is None or len(body) > MOST_BYTES:
        return _said(413, "the body is too large")
    told = request.headers
    timestamp, signature = told.get("X-Slack-Request-Timestamp", ""), told.get("X-Slack-Signature", "")
    if not is_slacks(secret, timestamp, signature, body, clock.now()):
        return _denied(request)
    try:
        answer = ask(body)
    except Rejected as error:
        return _said(400, str(error))
    for work in answer.later:
        afterwards.do(work)
    return HttpResponse() if answer.body is None else JsonResponse(answer.body)


def _length(request: HttpRequest) -> int:
    given = request.META.get("CONTENT_LENGTH") or "0"
    return int(given) if given.isascii() and given.isdecimal() else 0


def _form(body: bytes) -> dict[str, Any]:
    """A form's fields, the first of each name. Raises Rejected."""
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise Rejected(f"this is no form: {error}") from error
    return {name: values[0] for name, values in found.items()}


def _json(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(f"this is no JSON object: {error}") from error


def _denied(request: HttpRequest) -> HttpResponse:
    """Who keeps guessing signatures must wait."""
    seconds = _failed.wait(request.META.get("REMOTE_ADDR", ""))
    if not seconds:
        return _said(403, "the signature is not Slack's, or too old")
    refused = _said(429, "too many wrong signatures")
    refused["Retry-After"] = str(seconds)
    return refused


def _said(status: int, text: str) -> HttpResponse:
    return HttpResponse(text[:500], status=status, content_type="text/plain; charset=utf-8")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def link(request: HttpRequest, token: str) -> HttpResponse:
    """A page with one button: only its POST links, so that no preview of the link does."""
    assert isinstance(request.user, User)
    try:
        found = linking.read(token)
        if request.method == "POST":
            return _link(request, found, request.user)
    except Rejected as error:
        return render(request, "chat/link.html", {"wrong": capfirst(str(error))}, status=410)
    return render(request, "chat/link.html", {"who": found.who, "presses": found.pressed is not None})


def _link(request: HttpRequest, found: Link, user: User) -> HttpResponse:
    """Keep who they are, then do what they pressed. Raises Rejected where they are somebody else already."""
    now, who = clock.now(), found.who
    accounts.link_chat(
        service=ChatIdentity.SLACK, team=who.team, member=who.member, name=who.name, user=user, now=now
    )
    messages.success(request, f"{who.name or who.member} in Slack is you from now on.")
    try:
        said = desk.perform(found.pressed, user, now) if found.pressed else ""
    except Rejected as error:
        said = str(error)
    if said:
        messages.info(request, f"{capfirst(said)}.")
    return redirect("incidents")
