"""What Opsgenie's clients do about an alert besides closing it or taking it on."""

from collections.abc import Callable, Iterator
from typing import Final

from tocsin.alerts.apis import Request
from tocsin.alerts.document import Part, as_text
from tocsin.alerts.events import Deed
from tocsin.core import severity
from tocsin.core.errors import Rejected

# Recorded as a note, with what of the body tells what was asked for.
_NOTED: Final = {
    "escalate": "escalation",
    "responders": "responder",
    "teams": "team",
}
PRIORITIES: Final = frozenset({"P1", "P2", "P3", "P4", "P5"})
Asked = Callable[[Request, Part, str], Iterator[Deed]]


def deeds(request: Request, alert: str, action: str) -> Iterator[Deed]:
    """The deeds of one request; a note that came with it is one more. Raises Rejected."""
    body = request.document() if request.body.strip() else Part({})
    note, by = body.text("note"), body.text("user")
    if action == "notes":
        note = body.need("note")
    elif action.startswith("actions/"):
        yield Deed(alert, "note", by, f"ran the action {action.removeprefix('actions/')}")
    elif action in _NOTED:
        said = as_text(body.get(_NOTED[action]))
        yield Deed(alert, "note", by, f"{action}: {said}" if said else action)
    elif action in _ASKED:
        yield from _ASKED[action](request, body, alert)
    if note:
        yield Deed(alert, "note", by, note)


def _snoozed(request: Request, body: Part, alert: str) -> Iterator[Deed]:
    until = body.moment("endTime")
    if until is None or until <= request.now:
        raise Rejected("endTime: expected a time to come, until which the alert is quiet")
    yield Deed(alert, "snooze", body.text("user"), until=until)


def _assigned(request: Request, body: Part, alert: str) -> Iterator[Deed]:
    owner = body.part("owner").text("username", "name", "id") or body.need("owner")
    yield Deed(alert, "assign", body.text("user"), owner)


def _let_go(request: Request, body: Part, alert: str) -> Iterator[Deed]:
    yield Deed(alert, "unacknowledge", body.text("user"))


def _message(request: Request, body: Part, alert: str) -> Iterator[Deed]:
    name = body.need("message")
    told = {"summary": name}
    yield Deed(alert, "amend", body.text("user"), name=name, labels={"alertname": name}, annotations=told)


def _description(request: Request, body: Part, alert: str) -> Iterator[Deed]:
    yield Deed(alert, "amend", body.text("user"), annotations={"description": body.need("description")})


def _priority(request: Request, body: Part, alert: str) -> Iterator[Deed]:
    priority = body.need("priority").upper()
    if priority not in PRIORITIES:
        raise Rejected(f"priority: {priority[:40]!r} is none of {', '.join(sorted(PRIORITIES))}")
    level = severity.read(priority)
    yield Deed(alert, "amend", body.text("user"), severity=level, labels={"priority": priority})


def _tags(request: Request, body: Part, alert: str) -> Iterator[Deed]:
    if request.method == "DELETE":
        yield Deed(alert, "untag", request.query.get("user", ""), request.query.get("tags", ""))
    else:
        yield Deed(alert, "tag", body.text("user"), ",".join(body.texts("tags")))


def _details(request: Request, body: Part, alert: str) -> Iterator[Deed]:
    if request.method == "DELETE":
        gone = filter(None, (key.strip() for key in request.query.get("keys", "").split(",")))
        yield Deed(alert, "amend", request.query.get("user", ""), annotations=dict.fromkeys(gone, ""))
    else:
        yield Deed(alert, "amend", body.text("user"), annotations=body.pairs("details"))


_ASKED: Final[dict[str, Asked]] = {
    "snooze": _snoozed,
    "assign": _assigned,
    "unacknowledge": _let_go,
    "message": _message,
    "description": _description,
    "priority": _priority,
    "tags": _tags,
    "details": _details,
}
