"""Who may call a JSON endpoint: holders of an API key and people who are signed in."""

import base64
import binascii
from collections.abc import Callable
from functools import wraps
from typing import Final

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.views.decorators.csrf import csrf_exempt

from tocsin.accounts import services
from tocsin.core import config

View = Callable[..., HttpResponseBase]

# Set by proxies: such a request may come from anywhere, whatever address we are bound to.
PROXY_HEADERS: Final = ("x-forwarded-for", "x-real-ip", "forwarded", "via")


class Denied(Exception):
    """No way in: 401 where credentials are missing, 403 where they are not enough."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def key_or_session(*scopes: str, open_on_loopback: bool = False) -> Callable[[View], View]:
    """Let a view answer holders of a key with one of these scopes (any, where none is named) and
    people who are signed in; with ``open_on_loopback`` everybody who can reach a web process that is
    bound to loopback."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if not (open_on_loopback and _from_this_machine(request)):
                try:
                    _check(request, scopes)
                except Denied as denied:
                    return _refusal(denied)
            return view(request, *args, **kwargs)

        return csrf_exempt(guarded)  # a key needs no token; sessions are checked by ``_check``

    return decorate


def _from_this_machine(request: HttpRequest) -> bool:
    return config.bound_to_loopback() and not any(name in request.headers for name in PROXY_HEADERS)


def _check(request: HttpRequest, scopes: tuple[str, ...]) -> None:
    key = bearer(request)
    if key and not _proxys_own(request):
        _check_key(key, scopes)
    elif not request.user.is_authenticated:
        raise Denied(401, "send a key: Authorization: Bearer … (tocsin api_key create NAME), or sign in")
    elif (wrong := _Csrf(_unanswered).process_view(request, _unanswered, (), {})) is not None:
        raise Denied(403, f"a signed-in browser must send its CSRF token: {wrong}")


def bearer(request: HttpRequest) -> str:
    """The key a request carries; empty where it carries none. Opsgenie's clients call theirs GenieKey;
    those that know no keys send it as the password of a Basic header."""
    scheme, _, key = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "basic":
        return _password(key)
    return key.strip() if scheme.lower() in ("bearer", "geniekey") else ""


def caller(request: HttpRequest) -> str:
    """Who calls, for the record: a person, or the name of a key. Ask it of requests that were let in."""
    key = bearer(request)
    if key and not _proxys_own(request):
        return f"key {services.name_of_key(key)}"
    return str(request.user.get_username())


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8", "replace").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _proxys_own(request: HttpRequest) -> bool:
    """Whether a Basic header is meant for a proxy in front, and a session is what opens this."""
    basic = request.headers.get("Authorization", "").strip()[:6].lower() == "basic "
    return basic and request.user.is_authenticated


def _check_key(key: str, scopes: tuple[str, ...]) -> None:
    scope = services.scope_of_key(key)
    if scope is None:
        raise Denied(403, "the key is unknown or revoked")
    if scopes and scope not in scopes:
        raise Denied(403, f"the key's scope is {scope}; this needs {' or '.join(scopes)}")


class _Csrf(CsrfViewMiddleware):
    """Django's own check, which here gives its reason instead of a page."""

    def _reject(self, request: HttpRequest, reason: str) -> str:
        return reason


def _unanswered(request: HttpRequest) -> HttpResponseBase:
    raise AssertionError("the check alone is used")


def _refusal(denied: Denied) -> JsonResponse:
    content = {"status": "error", "code": "access", "message": str(denied)}
    headers = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else None
    return JsonResponse(content, status=denied.status, headers=headers)
