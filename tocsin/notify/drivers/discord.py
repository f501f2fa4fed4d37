"""Discord's webhooks. https://discord.com/developers/docs/resources/webhook#execute-webhook

A webhook can change what it posted, and answer nothing.
"""

import re
from typing import Any, Final

import msgspec
from pydantic import BaseModel, Field, SecretStr, field_validator

from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client, Response
from tocsin.notify import markup
from tocsin.notify.answer import required, seconds
from tocsin.notify.drivers import EDIT, NEW, Gone, Handle, Rate, ThreadedDriver
from tocsin.notify.message import Message
from tocsin.notify.wording import colour

MAX_TITLE: Final = 256
MAX_DESCRIPTION: Final = 4096
MARKDOWN: Final = markup.markdown(size=markup.utf16)
PLAIN: Final = markup.text(size=markup.utf16)
UNKNOWN_MESSAGE, THREAD_ARCHIVED = 10008, 50083
_WEBHOOK: Final = re.compile(r"https?://[^/?#\s]+/api(/v\d+)?/webhooks/\d+/[\w-]+")


class Config(BaseModel):
    webhook_url: SecretStr = Field(description="The webhook's URL, https://discord.com/api/webhooks/…")
    thread_id: str = Field(
        default="", pattern=r"^\d*$", description="A thread or forum post to post in; default: the channel"
    )

    @field_validator("webhook_url")
    @classmethod
    def _is_a_webhook(cls, given: SecretStr) -> SecretStr:
        if not _WEBHOOK.fullmatch(given.get_secret_value().strip()):
            raise ValueError("expected a URL such as https://discord.com/api/webhooks/1234/abcd")
        return SecretStr(given.get_secret_value().strip())


class Driver(ThreadedDriver[Config]):
    """Posts a card to a Discord channel and keeps it up to date."""

    Config = Config
    concurrency = 1  # in order
    rate = Rate(per_second=0.5, burst=5)  # 30 a minute to a channel; the headers of its answers say 5 at once
    folds = True
    hosts = ("discord.com", "discordapp.com")
    modes = (NEW, EDIT)

    async def post(self, message: Message, http: Client) -> Handle:
        answer = await self._ask("POST", "", {"wait": "true"}, message, http)
        _require_success(answer)
        return {"message_id": required(answer, "id")}

    async def edit(self, handle: Handle, message: Message, http: Client) -> None:
        answer = await self._ask("PATCH", f"/messages/{handle['message_id']}", {}, message, http)
        if answer.status >= 400 and answer.json().get("code") in (UNKNOWN_MESSAGE, THREAD_ARCHIVED):
            raise Gone(f"HTTP {answer.status}: {answer.text()}")
        _require_success(answer)
        required(answer, "id", Unavailable)

    async def reply(self, handle: Handle, message: Message, http: Client) -> None:
        raise Rejected("a webhook of Discord cannot answer a message: use the mode new or edit")

    async def _ask(
        self, method: str, path: str, query: dict[str, str], message: Message, http: Client
    ) -> Response:
        if self.config.thread_id:
            query = {**query, "thread_id": self.config.thread_id}
        url = self.config.webhook_url.get_secret_value() + path
        url += "?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else ""
        body = msgspec.json.encode(card(message))
        return await http.request(method, url, body, {"Content-Type": "application/json"}, self.timeout)


def _require_success(answer: Response) -> None:
    answer.require_success(seconds(answer.json().get("retry_after")))


def card(message: Message) -> dict[str, Any]:
    """The message as an embed. Its own ``url`` stays empty: Discord refuses a message for one whose host has
    no dot, while in the text any link may stand."""
    linked = markup.linked(message, MAX_DESCRIPTION // 2, MARKDOWN)
    said = markup.said(message, MAX_DESCRIPTION - markup.utf16(linked) - 2, MARKDOWN)
    embed = {
        "title": markup.headline(message, MAX_TITLE, MARKDOWN),
        "description": "\n\n".join(filter(None, [said, linked])),
        "color": int(colour(message).removeprefix("#"), 16),
        "footer": {"text": markup.source(message, MAX_TITLE, PLAIN)},
    }
    if message.opened_at is not None:
        embed["timestamp"] = message.opened_at.isoformat()
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}
