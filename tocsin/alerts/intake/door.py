"""The ways in: an ASGI app of its own, in front of Django, for the few paths that take alerts.

``/alerts/webhook/``, ``/alerts/webhook/<driver>/``, Alertmanager's ``/api/v2/alerts``, and other
systems' protocols, each with paths of its own.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl

from tocsin.alerts.apis import BaseApi, Refusal, Request, alertmanager, protocols
from tocsin.alerts.detect import detect
from tocsin.alerts.document import MOST_FIELDS
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import Beside, Push, Reading
from tocsin.alerts.intake import metrics
from tocsin.alerts.intake.access import Access, Denied
from tocsin.alerts.intake.beside import BesideAlerts, Told
from tocsin.alerts.intake.committer import Committer
from tocsin.alerts.intake.journal import Post
from tocsin.alerts.intake.limits import keep_good
from tocsin.alerts.intake.parking import Parking
from tocsin.alerts.intake.request import (
    Receive,
    Refused,
    Scope,
    Send,
    answer,
    inflated,
    read_body,
    refuse,
    trace_id,
)
from tocsin.alerts.intake.throttle import Throttle
from tocsin.alerts.parked import Unread
from tocsin.alerts.sources import Sender, labelled
from tocsin.core import clock
from tocsin.core.errors import Rejected, Unavailable, Unknown

Headers = dict[bytes, bytes]
_BOM: Final = b"\xef\xbb\xbf"  # some senders on Windows begin with it
ERRORS_SHOWN: Final = 100
_UNREAD: Final = "payload"  # the code of a refusal because of what was posted
LONGEST_PATH: Final = 2_000  # of a protocol: their patterns take the square of it
COUNT_SECONDS: Final = 0.5
_WEBHOOKS: Final = "/alerts/webhook"
_WEBHOOK: Final = re.compile(r"/alerts/webhook/(?:([^/]+)/?)?")
_API_PATHS: Final = frozenset({"/api/v2/alerts", "/api/v1/alerts"})
_TEXTUAL: Final = re.compile(
    rb"application/([\w.+-]*(json|xml)|x-www-form-urlencoded|octet-stream)|text/", re.I
)
_JSON: Final = re.compile(rb"application/([\w.+-]+\+)?json", re.I)


class Door:
    """Takes alerts in. ``matches`` says which requests are for it."""

    def __init__(
        self,
        committer: Committer,
        access: Access,
        beside: BesideAlerts,
        max_bytes: int,
        resolve_timeout: timedelta,
    ) -> None:
        self._committer = committer
        self._access = access
        self._beside = beside
        self._max_bytes = max_bytes
        self._resolve_timeout = resolve_timeout
        self._protocols = protocols()
        self._parking = Parking()
        self._failed = Throttle()
        self._counted = False  # whether a hand-over of what was counted is under way

    def matches(self, scope: Scope) -> bool:
        """Whether a request is a way in; reading alerts over the API is not."""
        path: str = scope["path"]
        if path.startswith(_WEBHOOKS) or (path in _API_PATHS and scope["method"] == "POST"):
            return True
        return self._protocol_of(scope) is not None

    def _protocol_of(self, scope: Scope) -> tuple[BaseApi, re.Match[str]] | None:
        if len(scope["path"]) > LONGEST_PATH:
            return None
        for api in self._protocols:
            if match := api.takes(scope["method"], scope["path"]):
                return api, match
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in _API_PATHS:
            source, status = await self._api(scope, receive, send)
        elif not scope["path"].startswith(_WEBHOOKS) and (found := self._protocol_of(scope)):
            source, status = await self._protocol(*found, scope, receive, send)
        else:
            source, status = await self._webhook(scope, receive, send)
        metrics.count_post(source, status)
        if not self._counted:
            self._counted = True
            asyncio.get_running_loop().call_later(COUNT_SECONDS, self._count)

    def close(self) -> None:
        """Let what is being kept be kept; for the end of the process."""
        self._parking.close()
        self._beside.close()

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
                kind = headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
                raise Refused(
                    415,
                    "content_type",
                    f'unsupported media type "{kind}", only [application/json] are allowed',
                )
            raw = await read_body(receive, headers, self._max_bytes)
            sender = await self._admit(source, headers, raw, scope)
            body = inflated(raw, headers, self._max_bytes)
            now = clock.now()
            reading = _reading(alertmanager.read, body, now, self._resolve_timeout)
            reading = keep_good(labelled(reading, sender) if sender else reading)
            await self._store(reading, source, trace, sender)
        except Refused as refused:
            error = {"code": refused.status, "message": str(refused)}
            await answer(send, refused.status, error, trace, refused.headers)
            return source, refused.status
        if reading.errors:
            status, told = alertmanager.refusal(reading.errors)
            await answer(send, status, told, trace)
            return source, status
        await answer(send, 200, None, trace)
        return source, 200

    async def _webhook(self, scope: Scope, receive: Receive, send: Send) -> tuple[str, int]:
        headers: Headers = dict(scope["headers"])
        trace = trace_id(headers)
        source, body = "unknown", b""
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
            raw = await read_body(receive, headers, self._max_bytes)
            sender = await self._admit(source, headers, raw, scope)
            body = inflated(raw, headers, self._max_bytes)
            if not source:
                source = _detected(body)
                sender = await self._admit(source, headers, raw, scope)
            reading = _reading(drivers.get(source)().parse, body)
            told_beside = reading.beside
            _check_own(told_beside, sender)
            reading = keep_good(labelled(reading, sender) if sender else reading)
            if reading.errors and not reading.alerts:
                raise Refused(
                    400, "payload", f"alerts[{reading.errors[0].index}]: {reading.errors[0].message}"
                )
            await self._store(reading, source, trace, sender)
            if told_beside:
                await self._keep(told_beside, _told(source, sender, trace, True, scope))
        except Refused as refused:
            if refused.code == _UNREAD and body:
                kind = headers.get(b"content-type", b"").decode("latin-1")
                self._parking.park(Unread(body, kind, source, str(refused), trace))
            await refuse(send, refused, trace)
            return source or "unknown", refused.status
        await answer(send, 202, _accepted(reading, trace), trace)
        return source, 202

    async def _protocol(
        self, api: BaseApi, match: re.Match[str], scope: Scope, receive: Receive, send: Send
    ) -> tuple[str, int]:
        """Another system's protocol, its answers included."""
        headers: Headers = dict(scope["headers"])
        trace = trace_id(headers)
        request = Request(scope["method"], scope["path"], match, headers, {}, clock.now())
        more: tuple[tuple[bytes, bytes], ...] = ()
        try:
            request.query = _query(scope)
            raw = await read_body(receive, headers, self._max_bytes)
            request.body = inflated(raw, headers, self._max_bytes).removeprefix(_BOM)
            sender, trusted = await self._admit_key(api, request, scope)
            request.mapping = sender.mapping if sender else None
            reading = _read(api, request)
            told_beside = reading.beside
            reading = keep_good(labelled(reading, sender) if sender else reading)
            if reading.errors and not reading.alerts:
                raise Refused(400, "payload", reading.errors[0].message)
            await self._store(reading, api.source, trace, sender)
            if told_beside:
                told_by = _told(api.source, sender, trace, trusted, scope)
                request.made = await self._keep(told_beside, told_by)
            told = api.accepted(request, reading, trace)
        except Refused as refused:
            if refused.code == _UNREAD and request.body:
                kind = headers.get(b"content-type", b"").decode("latin-1")
                self._parking.park(Unread(request.body, kind, "", str(refused), trace))
            told = api.refused(request, Refusal(refused.status, refused.code, str(refused), trace))
            more = refused.headers
        await answer(send, told.status, told.content, trace, (*told.headers, *more))
        return api.source, told.status

    async def _admit_key(self, api: BaseApi, request: Request, scope: Scope) -> tuple[Sender | None, bool]:
        """The source that sent a request, if any, and whether it proved itself by more than its address."""
        try:
            return await self._access.check_key(api.key(request), request.headers), True
        except Denied as denied:
            if api.address_is_secret(request):
                return None, False
            raise self._denied(denied, scope) from denied
        except Unavailable as error:
            raise _unavailable(error) from error

    async def _admit(self, source: str, headers: Headers, body: bytes, scope: Scope) -> Sender | None:
        try:
            return await self._access.check(source, headers, body)
        except Denied as denied:
            raise self._denied(denied, scope) from denied
        except Unavailable as error:
            raise _unavailable(error) from error

    def _denied(self, denied: Denied, scope: Scope) -> Refused:
        """What a post without good credentials is told."""
        return self._slowed(Refused(denied.status, "access", str(denied)), _address(scope))

    def _slowed(self, refused: Refused, address: str) -> Refused:
        """What one who may be guessing is told; after too many of them, to wait."""
        seconds = self._failed.wait(address)
        if not seconds:
            return refused
        after = ((b"retry-after", b"%d" % seconds),)
        return Refused(429, "access", f"too many posts with wrong credentials: {refused}", after)

    async def _keep(self, items: Sequence[Beside], told: Told) -> bool:
        """Return when what is no alert is on disk: whether it made something."""
        try:
            return await self._beside.keep(items, told)
        except Unavailable as error:
            raise _unavailable(error) from error
        except Unknown as error:
            unknown = Refused(404, "unknown", str(error))
            raise (unknown if told.trusted else self._slowed(unknown, told.address)) from error
        except Rejected as error:
            raise Refused(400, "content", str(error)) from error

    async def _store(self, reading: Reading, source: str, trace: str, sender: Sender | None) -> None:
        """Return when the alerts are on disk."""
        metrics.count_alerts(source, len(reading.alerts), len(reading.errors))
        if not reading.alerts:
            return
        post = Post(reading.alerts, source, trace, clock.now(), _source(sender))
        try:
            await self._committer.submit(post)
        except Unavailable as error:
            raise _unavailable(error) from error
        except Rejected as error:
            raise Refused(400, "content", str(error)) from error


_ALLOW: Final = ((b"allow", b"GET, HEAD, POST"),)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _source(sender: Sender | None) -> str:
    """The name of the source that sent something; agents are none."""
    return sender.name if sender and not sender.agent else ""


def _told(source: str, sender: Sender | None, trace: str, trusted: bool, scope: Scope) -> Told:
    return Told(source, _source(sender), trace, clock.now(), trusted, _address(scope))


def _check_own(told: Sequence[Beside], sender: Sender | None) -> None:
    """An agent speaks for its own instance alone."""
    if sender and sender.agent and any(not isinstance(p, Push) or p.instance_id != sender.name for p in told):
        raise Refused(403, "access", f"this is the key of the instance {sender.name[:64]}: push as that one")


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


def _read(api: BaseApi, request: Request) -> Reading:
    try:
        return api.read(request)
    except Rejected as error:
        raise Refused(400, "payload", str(error)) from error


def _query(scope: Scope) -> dict[str, str]:
    try:
        return dict(parse_qsl(scope["query_string"].decode("latin-1"), True, max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise Refused(400, "query", f"the query string cannot be read: {error}") from error


def _accepted(reading: Reading, trace: str) -> dict[str, object]:
    content: dict[str, object] = {"status": "accepted", "trace_id": trace, "alerts": len(reading.alerts)}
    if reading.errors:
        content["errors"] = reading.errors[:ERRORS_SHOWN]
        content["refused"] = len(reading.errors)
    return content
