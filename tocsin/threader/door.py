"""What an instance answers: ``POST /alert``, and how it is."""

import base64
import hmac
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final

import msgspec

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
from tocsin.core import clock, log
from tocsin.core.errors import Rejected, Unavailable
from tocsin.threader import webhook
from tocsin.threader.counted import Counted
from tocsin.threader.settings import OWN, Settings
from tocsin.threader.store import BaseStore, Depth

logger = log.get(__name__)

Headers = dict[bytes, bytes]
_EXPOSITION: Final = ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),)
_FORWARDED: Final = frozenset({b"x-forwarded-for", b"x-real-ip", b"forwarded", b"via"})  # of a proxy
_encode = msgspec.json.Encoder().encode


class Door:
    """Keeps webhooks; ``ring`` is called after each."""

    def __init__(
        self, settings: Settings, store: BaseStore, counted: Counted, ring: Callable[[], None]
    ) -> None:
        self._settings, self._store, self._counted, self._ring = settings, store, counted, ring
        self._failed = Throttle()
        self._answers: dict[str, Callable[[Send], Awaitable[int]]] = {
            "/health": self._health,
            "/stats": self._stats,
            "/metrics": self._metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        headers: Headers = dict(scope["headers"])
        trace = trace_id(headers)
        try:
            status = await self._answered(scope, headers, trace, receive, send)
        except Refused as refused:
            await refuse(send, refused, trace)
            status = refused.status
        self._counted.request(scope["method"], scope["path"], status, time.perf_counter() - began)

    async def _answered(
        self, scope: Scope, headers: Headers, trace: str, receive: Receive, send: Send
    ) -> int:
        path = scope["path"].rstrip("/") or "/"
        if path == "/alert":
            if scope["method"] != "POST":
                raise Refused(405, "method", "POST Alertmanager's webhook here", ((b"allow", b"POST"),))
            return await self._alert(scope, headers, trace, receive, send)
        if path not in self._answers:
            raise Refused(404, "path", "there are POST /alert, GET /health, GET /stats and GET /metrics")
        if scope["method"] not in ("GET", "HEAD"):
            raise Refused(405, "method", f"GET {path}", ((b"allow", b"GET, HEAD"),))
        return await self._answers[path](send)

    async def _alert(self, scope: Scope, headers: Headers, trace: str, receive: Receive, send: Send) -> int:
        self._admit(headers, scope)
        most = self._settings.max_bytes
        body = inflated(await read_body(receive, headers, most), headers, most)
        try:
            told = webhook.read(body, trace, clock.now())
        except Rejected as error:
            raise Refused(400, "payload", str(error)) from error
        try:
            await self._store.put(sha256(told.key.encode()).hexdigest()[:32], _encode(told))
        except Unavailable as error:
            self._counted.error("store")
            logger.warning("threader.not_kept", error=str(error), trace_id=trace)
            after = b"%d" % max(1, round(error.retry_after or 1))
            raise Refused(503, "unavailable", str(error), ((b"retry-after", after),)) from error
        self._ring()
        self._counted.webhook("accepted")
        content = {
            "status": "accepted",
            "trace_id": trace,
            "group": told.key[:1000],
            "alerts": len(told.alerts),
        }
        await answer(send, 200, content, trace)
        return 200

    def _admit(self, headers: Headers, scope: Scope) -> None:
        """Raise Refused unless it may come in: by the secret, or from this machine where there is none."""
        secret = self._settings.secret
        if not secret and self._settings.loopback and _FORWARDED.isdisjoint(headers):
            return
        if secret and hmac.compare_digest(_given(headers).encode(), secret.encode()):
            return
        told = "send THREADER_SECRET, as Authorization: Bearer … or as a Basic password"
        seconds = self._failed.wait(str((scope.get("client") or ("",))[0]))
        if seconds:
            after = ((b"retry-after", b"%d" % seconds),)
            raise Refused(429, "access", f"too many posts with wrong credentials: {told}", after)
        raise Refused(403 if b"authorization" in headers else 401, "access", told)

    async def _depth(self) -> Depth | None:
        try:
            return await self._store.depth()
        except Unavailable:
            return None

    async def _health(self, send: Send) -> int:
        """200 while webhooks can be kept. That Slack does not answer is told, but no reason to restart."""
        depth = await self._depth()
        away = depth is None
        status = "unavailable" if away else "ok" if self._counted.well else "degraded"
        content = {
            "status": status,
            "impl": OWN,
            "store": f"{self._store.name}: " + ("cannot be reached" if away else "ok"),
            "slack": "failing" if self._counted.slack_error else "ok",
            "uptime": self._uptime(),
            "timestamp": clock.now(),
        }
        await answer(send, 503 if away else 200, content)
        return 503 if away else 200

    async def _stats(self, send: Send) -> int:
        depth = await self._depth()
        tally = self._counted.tally
        content = {
            "impl": OWN,
            "store": self._store.name,
            "since": self._counted.since,
            "uptime": self._uptime(),
            "webhooks": {name: tally[name] for name in ("accepted", "told", "repeated", "given_up")},
            "threads": tally["opened"],
            "replies": tally["answered"],
            "resolved": tally["resolved"],
            "errors": tally["errors"],
            "waiting": depth,
        }
        await answer(send, 200, content)
        return 200

    async def _metrics(self, send: Send) -> int:
        depth = await self._depth()
        body = self._counted.exposition(None if depth is None else depth.webhooks)
        await send({"type": "http.response.start", "status": 200, "headers": [
            (b"content-length", b"%d" % len(body)), *_EXPOSITION,
        ]})  # fmt: skip
        await send({"type": "http.response.body", "body": body})
        return 200

    def _uptime(self) -> int:
        return int((clock.now() - self._counted.since).total_seconds())


def _given(headers: Headers) -> str:
    """The token of a Bearer header, or the password of a Basic one."""
    scheme, _, value = headers.get(b"authorization", b"").decode("latin-1").strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "replace").partition(":")[2]
    except ValueError:  # not base64, or not even ASCII
        return ""
