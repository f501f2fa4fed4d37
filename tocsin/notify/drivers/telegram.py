"""Telegram's Bot API. https://core.telegram.org/bots/api#sendmessage

A group that grows becomes a supergroup of another number, which the answer tells: it is told there at once.
"""

import re
from typing import Any, Final

import msgspec
from pydantic import BaseModel, Field, SecretStr, field_validator

from tocsin.core.errors import Unclear
from tocsin.core.http import Client, Response
from tocsin.notify import markup
from tocsin.notify.answer import seconds, word
from tocsin.notify.drivers import Gone, Handle, Rate, ThreadedDriver
from tocsin.notify.message import Message

MAX_TEXT: Final = 4096
HTML: Final = markup.html(size=markup.utf16)
_SAME: Final = "message is not modified"
_GONE: Final = re.compile(
    r"(message to (edit|be replied)|repl(y|ied) message) not found|message can't be edited|message_id_invalid"
)
_TOKEN: Final = re.compile(r"\d+:[\w-]+", re.A)


class Config(BaseModel):
    token: SecretStr = Field(description="The bot's token, as BotFather gives it")
    chat_id: str = Field(
        pattern=r"^(-?\d+|@\w+)$", description="A chat's number, or @name of a public group or channel"
    )
    topic_id: int = Field(default=0, ge=0, description="Number of the topic in a group that has topics")
    silent: bool = Field(default=False, description="Whether phones stay silent")
    api_url: str = Field(
        default="https://api.telegram.org", pattern=r"^https?://", description="A Bot API server of your own"
    )

    @field_validator("token")
    @classmethod
    def _is_a_token(cls, given: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(given.get_secret_value()):
            raise ValueError("expected a token such as 123456:ABC-DEF1234")
        return given


class Driver(ThreadedDriver[Config]):
    """Writes to a Telegram chat, changes what it wrote and answers it."""

    Config = Config
    concurrency = 1  # in order
    rate = Rate(per_second=20 / 60, burst=3)  # what a group takes from a bot
    folds = True

    async def post(self, message: Message, http: Client) -> Handle:
        return await self._write(self.config.chat_id, message, {}, http)

    async def edit(self, handle: Handle, message: Message, http: Client) -> None:
        head = {"message_id": _number(handle)}
        await self._ask("editMessageText", handle["chat_id"], {**text(message), **head}, http)

    async def reply(self, handle: Handle, message: Message, http: Client) -> None:
        head = {"reply_parameters": {"message_id": _number(handle)}}
        await self._write(handle["chat_id"], message, head, http)

    async def _write(self, chat_id: str, message: Message, more: dict[str, Any], http: Client) -> Handle:
        body = {**text(message), "disable_notification": self.config.silent, **more}
        if self.config.topic_id:
            body["message_thread_id"] = self.config.topic_id
        chat_id, answer = await self._ask("sendMessage", chat_id, body, http)
        return {"chat_id": chat_id, "message_id": word(answer, answer.json().get("result"), "message_id")}

    async def _ask(
        self, method: str, chat_id: str, body: dict[str, Any], http: Client
    ) -> tuple[str, Response]:
        """The chat that took it, and what Telegram says of it."""
        answer = await self._call(method, {"chat_id": chat_id, **body}, http)
        moved = _parameters(answer).get("migrate_to_chat_id")
        if isinstance(moved, int):
            chat_id = str(moved)
            answer = await self._call(method, {"chat_id": chat_id, **body}, http)
        _require_success(answer)
        return chat_id, answer

    async def _call(self, method: str, body: dict[str, Any], http: Client) -> Response:
        url = f"{self.config.api_url.rstrip('/')}/bot{self.config.token.get_secret_value()}/{method}"
        headers = {"Content-Type": "application/json"}
        return await http.post(url, msgspec.json.encode(body), headers, self.timeout)


def _parameters(answer: Response) -> dict[str, Any]:
    found = answer.json().get("parameters")
    return found if isinstance(found, dict) else {}


def _number(handle: Handle) -> int:
    try:
        return int(handle["message_id"])
    except (KeyError, ValueError):  # kept of an answer that named none
        raise Gone("the message that was posted has no number") from None


def _require_success(answer: Response) -> None:
    """Raise unless Telegram did it, or there was nothing to change."""
    said = answer.json()
    words = str(said.get("description", "")).lower()
    if said.get("ok") is True and isinstance(said.get("result"), dict):
        return
    if _SAME in words:  # told a second time, after a crash
        return
    if _GONE.search(words):
        raise Gone(f"HTTP {answer.status}: {answer.text()}")
    answer.require_success(seconds(_parameters(answer).get("retry_after")))
    raise Unclear(f"not Telegram's answer: {answer.text()}")


def text(message: Message) -> dict[str, Any]:
    """The message as Telegram's HTML; what stands behind its links is not shown besides."""
    return {
        "text": markup.whole(message, MAX_TEXT, HTML),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
