"""A stand-in for Google Chat's incoming webhooks: keeps to their documented rules and answers as they do.

https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create
https://developers.google.com/workspace/chat/format-messages#card-formatting
"""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

SPACE = "spaces/AAAAMpdlehY"
KEY, TOKEN = "AIzaSyDdI0hCZtE6vySjMm-WEfRq3CPzqKqqsHI", "UMxm6ZnUbvZ9BDzeQ5ktFFw1xA0W53"
TAGS = {"b", "br", "a", "font"}


class GoogleChat(Service):
    """``messages`` holds what it accepted, each with the name of its ``thread``."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.messages: list[dict[str, Any]] = []
        self.threads: dict[str, str] = {}
        self._requests: dict[str, dict[str, Any]] = {}

    @property
    def url(self) -> str:
        return f"{super().url}/v1/{SPACE}/messages?key={KEY}&token={TOKEN}"

    def answer(self, received: Received) -> Answer:
        parts = urlsplit(received.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path != f"/v1/{SPACE}/messages":
            return refused(404, "NOT_FOUND", "Requested entity was not found.")
        if (query.get("key"), query.get("token")) != (KEY, TOKEN):
            return refused(403, "PERMISSION_DENIED", "The caller does not have permission")
        if query["requestId"] in self._requests:
            return json(200, self._requests[query["requestId"]])
        try:
            body = msgspec.json.decode(received.body)
            check(body)
            thread = self._thread(body.get("thread", {}), query.get("messageReplyOption", ""))
        except Invalid as error:
            return refused(400, "INVALID_ARGUMENT", str(error))
        except KeyError:
            return refused(404, "NOT_FOUND", "Thread not found.")
        made = {**body, "name": f"{SPACE}/messages/{len(self.messages)}", "thread": {"name": thread}}
        self.messages.append(made)
        self._requests[query["requestId"]] = made
        return json(200, made)

    def _thread(self, asked: dict[str, str], option: str) -> str:
        """Its name; a KeyError where it is to answer in one that is not there."""
        new = f"{SPACE}/threads/{len(self.threads)}"
        if not option:
            return self.threads.setdefault(new, new)
        if "name" in asked:
            if option == "REPLY_MESSAGE_OR_FAIL" and asked["name"] not in self.threads.values():
                raise KeyError(asked["name"])
            return asked["name"]
        return self.threads.setdefault(asked["threadKey"], new)


def refused(status: int, code: str, said: str) -> Answer:
    """What it says when it does not do it."""
    return json(status, {"error": {"code": status, "message": said, "status": code}})


def check(message: Any) -> None:
    """Raise Invalid unless Google Chat would take this message."""
    if len(msgspec.json.encode(message)) > 32_000:
        raise Invalid("Message cannot exceed 32000 bytes")
    if "<users/" in message.get("fallbackText", "") + message.get("text", ""):
        raise Invalid("this test wants nobody mentioned")
    [card] = message["cardsV2"]
    if not card["card"]["header"]["title"].strip():
        raise Invalid("The header title must be specified")
    for section in card["card"]["sections"]:
        if not 1 <= len(section["widgets"]) <= 100:
            raise Invalid("A section must contain at least one widget")
        for widget in section["widgets"]:
            seen(widget["textParagraph"]["text"])


def seen(text: str) -> str:
    """What people see of a paragraph. Raises Invalid for tags that it does not know."""
    parser = _Html()
    parser.feed(text)
    parser.close()
    if not parser.seen.strip():
        raise Invalid("text must be specified")
    return parser.seen


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise Invalid(f"unknown tag {tag}")
        self.seen += "\n" if tag == "br" else ""

    def handle_data(self, data: str) -> None:
        self.seen += data
