"""The ways in: an ASGI app of its own, in front of Django, for the few paths that take alerts.

``/alerts/webhook/``, ``/alerts/webhook/<driver>/`` and Alertmanager's ``/api/v2/alerts``.
"""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from tocsin.alerts.apis import alertmanager
from tocsin.alerts.detect import detect
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import Reading
from tocsin.alerts.intake import metrics
from tocsin.alerts.intake.access import Access, Denied
from tocsin.alerts.intake.committer import Committer
from tocsin.alerts.intake.journal import Post
from tocsin.alerts.intake.limits import keep_good
from tocsin.alerts.intake.request import Receive, Refused, Scope, Send, answer, read_body, refuse, trace_id
from tocsin.core import clock
from tocsin.core.errors import Rejected, Unavailable

Headers = dict[bytes, bytes]
_BOM: Final = b"\xef\xbb\xbf"  # some senders on Windows begin with it
ERRORS_SHOWN: Final = 100
COUNT_SECONDS: Final = 0.5
_WEBHOOK: Final = re.compile(r"/alerts/webhook/(?:([^/]+)/?)?")
_API_PATHS: Final = frozenset({"/api/v2/alerts", "/api/v1/alerts"})
_TEXTUAL: Final = re.compile(rb"application/([\w.+-]*json|x-www-form-urlencoded|octet-stream)|text/", re.I)
_JSON: Final = re.compile(rb"application/([\w.+-]+\+)?json", re.I)


class Door:
    """Takes alerts in. ``matches`` says which requests are for it."""

    def __init__(
        self, committer: Committer, access: Access, max_bytes: int, resolve_timeout: timedelta
    ) -> None:
        self._committer = committer
        self._access = access
        self._max_bytes = max_bytes
        self._resolve_timeout = resolve_timeout
        self._counted = False  # whether a hand-over of what was counted is under way

    def matches(self, scope: Scope) -> bool:
        """Whether a request is a way in; reading alerts over the API is not."""
        path: str = scope["path"]
        return path.startswith("/alerts/webhook") or (path in _API_PATHS and scope["method"] == "POST")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in _API_PATHS:
            source, status = await self._api(scope, receive, send)
        else:
            source, status = await self._webhook(scope, receive, send)
        metrics.count_post(source, status)
        if not self._counted:
            self._counted = True
            asyncio.get_running_loop().call_later(COUNT_SECONDS, self._count)

    def _count(self) -> None:
        self._counted = False
        metrics.hand_over(self._committer.depth)

    async def _api(self, scope: Scope, receive: Receive, send: Send) -> tuple[str, int]:
        """Alertmanager's own protocol, its answers included."""
        headers: Headers = dict(scope["headers"])
        trace = trace_id(headers)
        source = alertmanager.SOURCE
        try:
            if not _JSON.match(headers.get(b"content-type", b"")):
                raise Refused(415, "content_type", "unsupported media type: only application/json is taken")
            body = await self._body(scope, receive, headers, source)
            now = clock.now()
            reading = keep_good(_reading(alertmanager.read, body, now, self._resolve_timeout))
            await self._store(reading, source, trace)
        except Refused as refused:
            error = {"code": refused.status, "message": str(refused)}
            await answer(send, refused.status, error, trace, refused.headers)
            return source, refused.status
        if reading.errors:
            await answer(send, 400, alertmanager.refusal(reading.errors), trace)
            return source, 400
        await answer(send, 200, None, trace)
        return source, 200

    async def _webhook(self, scope: Scope, receive: Receive, send: Send) -> tuple[str, int]:
        headers: Headers = dict(scope["headers"])
        trace = trace_id(headers)
        source = "unknown"
        try:
            source = _named_driver(scope["path"])
            if scope["method"] in ("GET", "HEAD"):
                ready = {"status": "ready", "driver": source or "any", "drivers": drivers.names()}
                await answer(send, 200, ready, trace)
                return source or "any", 200
            if scope["method"] != "POST":
                raise Refused(405, "method", "POST alerts here; GET tells whether it is ready", _ALLOW)
            content_type = headers.get(b"content-type", b"")
            if content_type and not _TEXTUAL.match(content_type):
                raise Refused(415, "content_type", "send the payload as application/json")
            body = await self._body(scope, receive, headers, source)
            if not source:
                source = _detected(body)
                await self._admit(source, headers, body)
            reading = keep_good(_reading(drivers.get(source)().parse, body))
            if reading.errors and not reading.alerts:
                raise Refused(
                    400, "payload", f"alerts[{reading.errors[0].index}]: {reading.errors[0].message}"
                )
            await self._store(reading, source, trace)
        except Refused as refused:
            await refuse(send, refused, trace)
            return source or "unknown", refused.status
        await answer(send, 202, _accepted(reading, trace), trace)
        return source, 202

    async def _body(self, scope: Scope, receive: Receive, headers: Headers, source: str) -> bytes:
        body = await read_body(scope, receive, headers, self._max_bytes)
        if source:
            await self._admit(source, headers, body)
        return body

    async def _admit(self, source: str, headers: Headers, body: bytes) -> None:
        try:
            await self._access.check(source, headers, body)
        except Denied as denied:
            raise Refused(denied.status, "access", str(denied)) from denied
        except Unavailable as error:
            raise _unavailable(error) from error

    async def _store(self, reading: Reading, source: str, trace: str) -> None:
        """Return when the alerts are on disk."""
        metrics.count_alerts(source, len(reading.alerts), len(reading.errors))
        if not reading.alerts:
            return
        try:
            await self._committer.submit(Post(reading.alerts, source, trace, clock.now()))
        except Unavailable as error:
            raise _unavailable(error) from error
        except Rejected as error:
            raise Refused(400, "content", str(error)) from error


_ALLOW: Final = ((b"allow", b"GET, HEAD, POST"),)


def _named_driver(path: str) -> str:
    """The driver in the path, or empty where none is named."""
    match = _WEBHOOK.fullmatch(path)
    if match is None:
        raise Refused(404, "path", "post to /alerts/webhook/ or /alerts/webhook/<driver>/")
    name = match[1] or ""
    if name and name not in drivers.names():
        raise Refused(404, "driver", f"there is no driver {name[:64]!r}; known: {', '.join(drivers.names())}")
    return name


def _unavailable(error: Unavailable) -> Refused:
    after = b"%d" % max(1, round(error.retry_after or 1))
    return Refused(503, "unavailable", str(error), ((b"retry-after", after),))


def _detected(body: bytes) -> str:
    try:
        return detect(body.removeprefix(_BOM))
    except Rejected as error:
        raise Refused(400, "payload", str(error)) from error


def _reading(read: Callable[..., Reading], body: bytes, *context: object) -> Reading:
    try:
        return read(body.removeprefix(_BOM), *context)
    except Rejected as error:
        raise Refused(400, "payload", str(error)) from error


def _accepted(reading: Reading, trace: str) -> dict[str, object]:
    content: dict[str, object] = {"status": "accepted", "trace_id": trace, "alerts": len(reading.alerts)}
    if reading.errors:
        content["errors"] = reading.errors[:ERRORS_SHOWN]
        content["refused"] = len(reading.errors)
    return content
