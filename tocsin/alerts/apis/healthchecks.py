"""Healthchecks' pings: a URL that jobs call when they begin, end and fail.

https://healthchecks.io/docs/http_api/
"""

import re
from typing import Final, Literal

from tocsin.alerts.apis import PREFIX, Answer, BaseApi, Refusal, Request
from tocsin.alerts.events import Beat, Reading
from tocsin.core.errors import Rejected

BODY_LIMIT: Final = 10_000
_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SIGNALS: Final[dict[str, Literal["success", "start", "failure", "log"]]] = {
    "": "success",
    "start": "start",
    "fail": "failure",
    "log": "log",
}
_SLUG: Final = re.compile(r"[a-z0-9_-]+")
_RUN: Final = re.compile(_UUID)
_WORST: Final = 255
_BAD_URL: Final = "invalid url format"
_HEADERS: Final = ((b"access-control-allow-origin", b"*"),)
_PREFLIGHT: Final = (*_HEADERS, (b"access-control-allow-methods", b"GET, HEAD, POST, OPTIONS"))
_LIMIT: Final = (b"ping-body-limit", b"%d" % BODY_LIMIT)
_UNKNOWN: Final = frozenset({401, 403, 404})


class Api(BaseApi):
    """Healthchecks' pings: `/ping/<uuid>`, `/<uuid>`, `/ping/<key>/<slug>`, and `/start`, `/fail`, `/log` or
    an exit status after them."""

    # An alias of Opsgenie's and a key of OnCall's may look like the end of such a path.
    paths = re.compile(
        r"(?!.*/(?:v2/alerts|integrations)/)(?:"
        rf"(?:{PREFIX}/ping)?/(?P<uuid>{_UUID})(?:/(?P<signal>[^/]+))?"
        rf"|{PREFIX}/ping/(?!{_UUID})(?P<key>[\w-]+)/(?P<slug>[^/]+)(?:/(?P<ended>start|fail|log|\d+))?"
        r")/?"
    )
    methods = frozenset({"HEAD", "GET", "POST", "OPTIONS"})
    source = "healthchecks"

    def address_is_secret(self, request: Request) -> bool:
        return bool(request.match["uuid"]) or request.method == "OPTIONS"

    def key(self, request: Request) -> str:
        return request.match["key"] or ""

    def read(self, request: Request) -> Reading:
        if request.method == "OPTIONS":
            return Reading()
        token, name = request.match["uuid"] or "", request.match["slug"] or ""
        if name and not _SLUG.fullmatch(name):
            raise Rejected(_BAD_URL)
        told = request.match["signal"] or request.match["ended"] or ""
        status = _exit_status(told)
        beat = Beat(
            token=token.lower(),
            name=name,
            signal=_SIGNALS[told] if status is None else "failure" if status else "success",
            exit_status=status,
            text=request.body[-BODY_LIMIT:].decode("utf-8", "replace"),
            run=_run(request.query.get("rid", "")),
            create=None if token else request.query.get("create") == "1",
        )
        return Reading(beside=(beat,))

    def accepted(self, request: Request, reading: Reading, trace: str) -> Answer:
        if request.method == "OPTIONS":
            return Answer(204, headers=_PREFLIGHT)
        if request.made and request.match["slug"]:
            return Answer(201, b"Created", (*_HEADERS, _LIMIT))
        return Answer(200, b"OK", (*_HEADERS, _LIMIT))

    def refused(self, request: Request, refusal: Refusal) -> Answer:
        if refusal.status in _UNKNOWN:
            return Answer(404, b"not found", _HEADERS)
        return Answer(refusal.status, refusal.message.encode(), _HEADERS)


def _exit_status(told: str) -> int | None:
    """None for a word that is none. Raises Rejected for what is neither."""
    if told in _SIGNALS:
        return None
    if not (told.isascii() and told.isdigit() and len(told) < 10 and int(told) <= _WORST):
        raise Rejected(_BAD_URL)
    return int(told)


def _run(given: str) -> str:
    if given and not _RUN.fullmatch(given):
        raise Rejected("invalid uuid format")
    return given.lower()
