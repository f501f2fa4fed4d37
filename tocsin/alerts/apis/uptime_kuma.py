"""Uptime Kuma's push monitors: a URL that jobs call when they ran, or failed.

https://github.com/louislam/uptime-kuma/wiki
"""

import re
from typing import Final, Literal

from tocsin.alerts.apis import PREFIX, Answer, BaseApi, Refusal, Request
from tocsin.alerts.events import Beat, Reading
from tocsin.core.errors import Rejected

_SIGNAL: Final[dict[str, Literal["success", "failure"]]] = {"up": "success", "down": "failure"}


class Api(BaseApi):
    """Uptime Kuma's push URL: `/api/push/<token>?status=up|down&msg=…&ping=…`."""

    paths = re.compile(PREFIX + r"/api/push/(?P<token>[^/]+)/?")
    methods = frozenset({"GET", "POST"})
    source = "uptime_kuma"

    def address_is_secret(self, request: Request) -> bool:
        return True

    def key(self, request: Request) -> str:
        return request.match["token"]

    def read(self, request: Request) -> Reading:
        told = request.query.get("status", "up").lower()
        if told not in _SIGNAL:
            raise Rejected(f"status is {told[:40]!r}: it must be up or down")
        ping = request.query.get("ping", "")
        text = "\n".join(filter(None, (request.query.get("msg", ""), f"ping: {ping} ms" if ping else "")))
        return Reading(beside=(Beat(token=request.match["token"], signal=_SIGNAL[told], text=text),))

    def accepted(self, request: Request, reading: Reading, trace: str) -> Answer:
        return Answer(200, {"ok": True})

    def refused(self, request: Request, refusal: Refusal) -> Answer:
        told = "Monitor not found or not active." if refusal.code == "unknown" else refusal.message
        return Answer(refusal.status, {"ok": False, "msg": told})
