"""A stand-in for a Matrix homeserver: keeps to the client-server API's rules and answers as Synapse does.

https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid
https://spec.matrix.org/latest/client-server-api/#size-limits
"""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

TOKEN = "syt_dG9jc2lu_abcdefghij_1a2b3c"
ROOM = "!OGEhHVWSdvArJzumhm:example.org"
SEND = "/_matrix/client/v3/rooms/"
TAGS = {"b", "br", "a", "strong", "em", "code", "p", "font", "span"}


class Homeserver(Service):
    """``events`` holds the contents it accepted, by their ids."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.events: dict[str, Any] = {}
        self._transactions: dict[str, str] = {}

    def answer(self, received: Received) -> Answer:
        if received.headers.get("authorization") != f"Bearer {TOKEN}":
            return refused(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
        room, _, rest = received.path.removeprefix(SEND).partition("/send/m.room.message/")
        if received.method != "PUT" or not received.path.startswith(SEND) or not rest or "/" in rest:
            return refused(404, "M_UNRECOGNIZED", "Unrecognized request")
        if unquote(room) != ROOM:
            return refused(403, "M_FORBIDDEN", f"User @tocsin:example.org not in room {unquote(room)}")
        if rest in self._transactions:
            return json(200, {"event_id": self._transactions[rest]})
        try:
            content = msgspec.json.decode(received.body)
            check(content)
            self._check_relation(content.get("m.relates_to", {}))
        except msgspec.DecodeError:
            return refused(400, "M_NOT_JSON", "Content not JSON.")
        except Invalid as error:
            return refused(*error.args)
        event_id = f"${len(self.events):043}"
        self.events[event_id] = content
        self._transactions[rest] = event_id
        return json(200, {"event_id": event_id})

    def _check_relation(self, relation: dict[str, Any]) -> None:
        if not relation:
            return
        parent = self.events.get(relation["event_id"])
        if parent is None:
            raise Invalid(400, "M_UNKNOWN", "Can't send relation to unknown event")
        if relation["rel_type"] == "m.thread" and "m.relates_to" in parent:
            raise Invalid(400, "M_UNKNOWN", "Cannot start threads from an event with a relation")


def refused(status: int, code: str, said: str, **more: int) -> Answer:
    """What it says when it does not do it."""
    return json(status, {"errcode": code, "error": said, **more})


def limited(milliseconds: int) -> Answer:
    """What it says to too many requests: older ones without a header."""
    return refused(429, "M_LIMIT_EXCEEDED", "Too Many Requests", retry_after_ms=milliseconds)


def check(content: Any) -> None:
    """Raise Invalid unless a homeserver would take this message, and clients would show it."""
    if len(msgspec.json.encode(content)) > 65_536 - 1_500:  # less what the server adds
        raise Invalid(413, "M_TOO_LARGE", "event too large")
    _check_text(content)
    relation = content.get("m.relates_to", {})
    if relation.get("rel_type") == "m.replace":
        _check_text(content["m.new_content"])
    elif relation and relation.get("rel_type") != "m.thread":
        raise Invalid(400, "M_BAD_JSON", "no such relation")


def _check_text(content: dict[str, Any]) -> None:
    if content.get("msgtype") != "m.text" or not str(content.get("body", "")).strip():
        raise Invalid(400, "M_BAD_JSON", "'body' is missing")
    if "\0" in content["body"] + content["formatted_body"]:
        raise Invalid(400, "M_BAD_JSON", "no null characters")
    if content.get("m.mentions") != {}:
        raise Invalid(400, "M_BAD_JSON", "this test wants nobody mentioned")
    if content["format"] != "org.matrix.custom.html":
        raise Invalid(400, "M_BAD_JSON", "unknown format")
    seen(content)


def seen(content: dict[str, Any]) -> str:
    """What clients show of its HTML. Raises Invalid for tags that they leave out."""
    parser = _Html()
    parser.feed(content["formatted_body"])
    parser.close()
    return parser.seen


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise Invalid(400, "M_BAD_JSON", f"clients do not show {tag}")
        self.seen += "\n" if tag == "br" else ""

    def handle_data(self, data: str) -> None:
        self.seen += data
