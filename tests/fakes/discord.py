"""A stand-in for Discord's webhooks: keeps to their documented rules and answers as they do.

https://discord.com/developers/docs/resources/webhook#execute-webhook
https://discord.com/developers/docs/resources/message#embed-object-embed-limits
https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
"""

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

WEBHOOK, TOKEN = (
    "223704706495545344",
    "3d89bb7572e0fb30d8128367b3b1b44fecd1726de135cbe28a41f8b2f777c372ba2939e",
)
PATH = f"/api/webhooks/{WEBHOOK}/{TOKEN}"
LIMITS = {"title": 256, "description": 4096}


class Discord(Service):
    """``messages`` holds what it accepted by id, ``threads`` what it posts in besides the channel."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.messages: dict[str, Any] = {}
        self.threads: set[str] = set()

    @property
    def url(self) -> str:
        return super().url + PATH

    def answer(self, received: Received) -> Answer:
        parts = urlsplit(received.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not parts.path.startswith(f"/api/webhooks/{WEBHOOK}/"):
            return json(404, {"message": "Unknown Webhook", "code": 10015})
        if not parts.path.startswith(PATH):
            return json(401, {"message": "Invalid Webhook Token", "code": 50027})
        if query.get("thread_id", "") not in {"", *self.threads}:
            return json(404, {"message": "Unknown Channel", "code": 10003})
        try:
            message = msgspec.json.decode(received.body)
            check(message)
        except msgspec.DecodeError:
            return json(400, {"message": "The request body contains invalid JSON.", "code": 50109})
        except Invalid as error:
            return json(400, {"message": "Invalid Form Body", "code": 50035, "errors": str(error)})
        return self._keep(received, parts.path.removeprefix(PATH), query, message)

    def _keep(self, received: Received, path: str, query: dict[str, str], message: Any) -> Answer:
        if received.method == "PATCH":
            message_id = path.removeprefix("/messages/")
            if message_id not in self.messages:
                return json(404, {"message": "Unknown Message", "code": 10008})
        elif received.method == "POST" and not path:
            message_id = str(1_300_000_000_000_000_000 + len(self.messages))
        else:
            return json(405, {"message": "405: Method Not Allowed", "code": 0})
        self.messages[message_id] = message
        if received.method == "POST" and query.get("wait") != "true":
            return Answer(204, b"")
        return json(200, {"id": message_id, "channel_id": query.get("thread_id", "1"), **message})


def limited(after: float) -> Answer:
    """What it says to too many requests."""
    body = {"message": "You are being rate limited.", "retry_after": after, "global": False}
    return json(429, body, X_RateLimit_Scope="user")


def length(text: str) -> int:
    """As strictly as characters may be counted."""
    return len(text.encode("utf-16-le")) // 2


def check(message: Any) -> None:
    """Raise Invalid unless Discord would take this message."""
    if not isinstance(message, dict) or not (message.get("content") or message.get("embeds")):
        raise Invalid("Cannot send an empty message")
    if length(message.get("content", "")) > 2000:
        raise Invalid("content: Must be 2000 or fewer in length.")
    embeds = message.get("embeds", [])
    if len(embeds) > 10 or sum(map(_check_embed, embeds)) > 6000:
        raise Invalid("embeds: Embed size exceeds maximum size of 6000")
    if message.get("allowed_mentions", {}).get("parse") != []:
        raise Invalid("this test wants nobody mentioned")


def _check_embed(embed: dict[str, Any]) -> int:
    """Its size."""
    if unknown := embed.keys() - {"title", "description", "url", "timestamp", "color", "footer", "fields"}:
        raise Invalid(f"{unknown} are set by Discord alone")
    size = 0
    for name, most in LIMITS.items():
        text = embed.get(name, "").strip()
        if length(text) > most:
            raise Invalid(f"embeds.0.{name}: Must be {most} or fewer in length.")
        size += length(text)
    footer = embed.get("footer", {}).get("text", "")
    if length(footer) > 2048:
        raise Invalid("embeds.0.footer.text: Must be 2048 or fewer in length.")
    if not 0 <= embed.get("color", 0) <= 0xFFFFFF:
        raise Invalid("embeds.0.color: int value should be less than or equal to 16777215.")
    if "url" in embed and "." not in (urlsplit(embed["url"]).hostname or ""):
        raise Invalid("embeds.0.url: Not a well formed URL.")
    if "timestamp" in embed:
        datetime.fromisoformat(embed["timestamp"])
    if not size:
        raise Invalid("embeds.0.description: This field is required")
    return size + length(footer)
