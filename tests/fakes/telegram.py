"""A stand-in for Telegram's Bot API: keeps to its documented rules and answers as it does.

https://core.telegram.org/bots/api#making-requests
https://core.telegram.org/bots/api#html-style
"""

from html.parser import HTMLParser
from typing import Any

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"
CHAT, GROWN = "-4242", "-1001234567890"
TAGS = {"b", "strong", "i", "em", "u", "s", "code", "pre", "a", "tg-spoiler", "blockquote"}


class Telegram(Service):
    """``messages`` holds what stands in the chat, by its number. Set ``has_grown`` for a group that became a
    supergroup."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.messages: dict[int, Any] = {}
        self.has_grown = False

    def answer(self, received: Received) -> Answer:
        _, bot, method = received.path.split("/", 2)
        if bot != f"bot{TOKEN}":
            return refused(401, "Unauthorized")
        if method not in ("sendMessage", "editMessageText"):
            return refused(404, "Not Found")
        body = msgspec.json.decode(received.body)
        chat = GROWN if self.has_grown else CHAT
        if self.has_grown and str(body["chat_id"]) == CHAT:
            said = "Bad Request: group chat was upgraded to a supergroup chat"
            return refused(400, said, migrate_to_chat_id=int(GROWN))
        if str(body["chat_id"]) != chat:
            return refused(400, "Bad Request: chat not found")
        try:
            seen = read(body)
            return self._edit(body, seen) if method == "editMessageText" else self._send(body, seen)
        except Invalid as error:
            return refused(400, f"Bad Request: {error}")

    def _send(self, body: dict[str, Any], seen: str) -> Answer:
        if "reply_parameters" in body and body["reply_parameters"]["message_id"] not in self.messages:
            raise Invalid("message to be replied not found")
        if body.get("message_thread_id", 7) != 7:
            raise Invalid("message thread not found")
        number = len(self.messages) + 1
        self.messages[number] = body | {"seen": seen}
        return json(200, {"ok": True, "result": {"message_id": number, "text": seen}})

    def _edit(self, body: dict[str, Any], seen: str) -> Answer:
        old = self.messages.get(body["message_id"])
        if old is None:
            raise Invalid("message to edit not found")
        if old["text"] == body["text"]:
            raise Invalid(
                "message is not modified: specified new message content and reply markup are exactly the "
                "same as a current content and reply markup of the message"
            )
        old |= body | {"seen": seen}
        return json(200, {"ok": True, "result": {"message_id": body["message_id"], "text": seen}})


def refused(status: int, said: str, **parameters: int) -> Answer:
    """What it says when it does not do it."""
    told: dict[str, Any] = {"ok": False, "error_code": status, "description": said}
    return json(status, told | ({"parameters": parameters} if parameters else {}))


def limited(seconds: int) -> Answer:
    """What it says to too many requests: without a header."""
    return refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def read(body: dict[str, Any]) -> str:
    """What people see of a message. Raises Invalid unless Telegram would take it."""
    parser = _Html()
    parser.feed(body["text"])
    parser.close()
    if body.get("parse_mode") != "HTML" or parser.open:
        raise Invalid(f"can't parse entities: can't find end tag corresponding to start tag {parser.open}")
    if not parser.seen.strip():
        raise Invalid("message text is empty")
    if len(parser.seen.encode("utf-16-le")) // 2 > 4096:
        raise Invalid("message is too long")
    return parser.seen


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise Invalid(f'can\'t parse entities: unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise Invalid("can't parse entities: unexpected end tag")

    def handle_data(self, data: str) -> None:
        self.seen += data

    def handle_comment(self, data: str) -> None:
        raise Invalid("can't parse entities: unsupported start tag")

    handle_decl = handle_pi = unknown_decl = handle_comment
