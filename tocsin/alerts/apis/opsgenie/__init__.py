"""Opsgenie's Alert API v2, and its heartbeat pings.

https://docs.opsgenie.com/docs/alert-api
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from tocsin.alerts.apis import PREFIX, Answer, BaseApi, Refusal, Request, identity
from tocsin.alerts.apis.opsgenie.deeds import deeds
from tocsin.alerts.document import Part
from tocsin.alerts.events import AlertEvent, Beat, Reading, Status
from tocsin.core import clock, severity
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id

SOURCE: Final = "opsgenie"
PRIORITY: Final = "P3"  # where none is given
_STATUS: Final[dict[str, Status]] = {"acknowledge": "acknowledged", "close": "resolved"}
_POSTED: Final = (
    r"acknowledge|unacknowledge|close|notes|snooze|assign|escalate|responders|teams|tags|details"
    r"|actions/[^/]+"
)
_PUT: Final = frozenset({"message", "description", "priority", "notes"})
_TAKEN_AWAY: Final = frozenset({"tags", "details"})
_PING: Final = frozenset({"GET", "POST", "PUT", "PATCH"})
_HOST: Final = ("entity", "details.instance", "details.hostname", "details.host")
_TRACE: Final = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})")


class Api(BaseApi):
    """Opsgenie's Alert API: `/v2/alerts` and what follows it, `/v2/heartbeats/<name>/ping`."""

    # Below /api it is Alertmanager's. An alias may hold slashes.
    paths = re.compile(
        PREFIX + r"(?<!/api)/v2/(?:"
        rf"alerts(?:/(?P<alert>.+?)(?:/(?P<action>{_POSTED}|message|description|priority))?)?"
        r"|heartbeats/(?P<heartbeat>[^/]+)/ping)/?"
    )
    source = SOURCE

    def takes(self, method: str, path: str) -> re.Match[str] | None:
        match = self.paths.fullmatch(path)
        return match if match and method in _methods(match) else None

    def key(self, request: Request) -> str:
        return genie_key(request.header("authorization"), request.query)

    def read(self, request: Request) -> Reading:
        alert, action = request.match["alert"], request.match["action"]
        if request.match["heartbeat"]:
            return Reading(beside=(Beat(name=request.match["heartbeat"]),))
        if not alert:
            return Reading([_created(request.document(), self.key(request))])
        kind = request.query.get("identifierType", "id")
        found = fingerprint(self.key(request), alert, kind)
        status: Status | None = "resolved" if request.method == "DELETE" and not action else None
        status = status or _STATUS.get(action or "")
        events = [AlertEvent(labels={"alias": alert}, status=status, fingerprint=found)] if status else []
        return Reading(events, beside=tuple(deeds(request, found, action or "")))

    def accepted(self, request: Request, reading: Reading, trace: str) -> Answer:
        pong = bool(request.match["heartbeat"])
        result = "PONG - Heartbeat received" if pong else "Request will be processed"
        return Answer(202, {"result": result, **_footer(request, trace)})

    def refused(self, request: Request, refusal: Refusal) -> Answer:
        status = 422 if refusal.code == "payload" else refusal.status
        return Answer(status, {"message": refusal.message, **_footer(request, refusal.trace)})


def _methods(match: re.Match[str]) -> frozenset[str]:
    if match["heartbeat"]:
        return _PING
    action = match["action"]
    if action is None:
        return frozenset({"DELETE"} if match["alert"] else {"POST"})
    if action in _TAKEN_AWAY:
        return frozenset({"POST", "DELETE"})
    if action in _PUT:
        return frozenset({"PUT", "PATCH", "POST"})
    return frozenset({"POST"})


def genie_key(authorization: str, query: Mapping[str, str]) -> str:
    """The key of ``Authorization: GenieKey …``, or that of the query string, as pings have it."""
    scheme, _, key = authorization.partition(" ")
    return key.strip() if scheme.lower() == "geniekey" else query.get("apiKey", "")


def fingerprint(key: str, alert: str, kind: str) -> str:
    """The fingerprint of an alert that a client names by ``identifierType``. Raises Rejected where that
    is none of Opsgenie's."""
    if kind == "alias":
        return identity(SOURCE, key, alert)
    if kind in ("id", "tiny"):  # we hand out the fingerprint itself as both
        return alert
    raise Rejected(f"identifierType is {kind[:40]!r}: it must be id, alias or tiny")


def request_id(trace: str) -> str:
    """A trace id as clients expect to see the id of their request: as a UUID."""
    parts = _TRACE.fullmatch(trace)
    return "-".join(parts.groups()) if parts else trace


def trace_of(request: str) -> str:
    """The trace id behind a request's id."""
    parts = _TRACE.fullmatch(request)
    return "".join(parts.groups()) if parts else request


def _footer(request: Request, trace: str) -> dict[str, Any]:
    took = max(0.0, (clock.now() - request.now).total_seconds())
    return {"took": round(took, 3), "requestId": request_id(trace)}


def _created(body: Part, key: str) -> AlertEvent:
    name = body.need("message")
    alias = body.text("alias") or new_id()
    priority = body.text("priority") or PRIORITY
    source = body.text("source")
    labels = {
        "alertname": name, "alias": alias, "priority": priority, "entity": body.text("entity"),
        "source": source, "instance": body.text(*_HOST), "tags": _words(body.get("tags")),
    }  # fmt: skip
    notes = {"summary": name, "description": body.text("description"), "note": body.text("note")}
    return AlertEvent(
        labels={label: told for label, told in labels.items() if told},
        name=name,
        severity=severity.read(priority),
        annotations=body.pairs("details") | {note: told for note, told in notes.items() if told},
        generator_url=source if source.startswith(("http://", "https://")) else "",
        fingerprint=identity(SOURCE, key, alias),
    )


def _words(tags: object) -> str:
    return ",".join(str(tag) for tag in tags) if isinstance(tags, list) else ""
