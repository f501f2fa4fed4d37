"""Slack: as an app with a bot token, whose messages are changed and answered and have buttons, or by an
incoming webhook, which only posts.

https://docs.slack.dev/reference/methods/chat.postMessage
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
https://docs.slack.dev/apis/web-api/rate-limits
"""

import re
from typing import Any, Final, Self

import msgspec
from pydantic import BaseModel, Field, SecretStr, model_validator

from tocsin.core.errors import Rejected, Unavailable, Unclear
from tocsin.core.http import Client, Response
from tocsin.notify.answer import required
from tocsin.notify.drivers import EDIT_THREAD, MODES, Gone, Handle, Rate, ThreadedDriver
from tocsin.notify.drivers.slack.card import answer, card
from tocsin.notify.message import QUESTION, Message

_GONE: Final = frozenset(
    {"message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed"}
)
_ERROR: Final = re.compile(r"[a-z]+(_[a-z]+)+")
_PASSING: Final = frozenset({
    "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
    "team_added_to_org", "accesslimited",
})  # fmt: skip


class Config(BaseModel):
    """Either a bot token and a channel, or an incoming webhook's URL."""

    webhook_url: SecretStr = Field(
        default=SecretStr(""),
        description="The incoming webhook's URL, https://hooks.slack.com/services/…; it can only post",
    )
    bot_token: SecretStr = Field(default=SecretStr(""), description="The app's bot token, xoxb-…")
    channel_id: str = Field(
        default="", description="The channel's id, such as C0123456789, where the app is in"
    )
    buttons: bool = Field(default=False, description="Buttons to acknowledge, resolve, silence, and more")
    api_url: str = Field(
        default="https://slack.com/api/",
        pattern=r"^https?://",
        description="Another endpoint for Slack's API",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.webhook_url.get_secret_value()) == bool(self.bot_token.get_secret_value()):
            raise ValueError("give either webhook_url, or bot_token and channel_id")
        if self.bot_token.get_secret_value() and not self.channel_id:
            raise ValueError("channel_id is missing: that of the channel that the bot posts to")
        return self


class Driver(ThreadedDriver[Config]):
    """Posts a card to a Slack channel; with a bot token, keeps it up to date and answers below it."""

    Config = Config
    concurrency = 1  # in order
    rate = Rate(1, burst=5)  # about one message a second and channel, with short bursts
    folds = True
    hosts = ("slack.com",)
    modes = (EDIT_THREAD, *(mode for mode in MODES if mode != EDIT_THREAD))

    async def post(self, message: Message, http: Client) -> Handle:
        if url := self.config.webhook_url.get_secret_value():
            await self._hook(url, card(message), http)
            return {}  # nothing that it could be found by
        said = await self._ask("chat.postMessage", self._at(card(message, self.config.buttons)), http)
        channel = said.json().get("channel")
        known = channel if isinstance(channel, str) else self.config.channel_id
        return {"channel": known[:100], "ts": required(said, "ts")}

    async def edit(self, handle: Handle, message: Message, http: Client) -> None:
        shown = card(message, self.config.buttons)
        await self._ask("chat.update", {**shown, "channel": handle["channel"], "ts": handle["ts"]}, http)

    async def reply(self, handle: Handle, message: Message, http: Client) -> None:
        below: dict[str, Any] = {"channel": handle["channel"], "thread_ts": handle["ts"]}
        if message.kind == QUESTION:  # who does not follow the thread is asked too
            below["reply_broadcast"] = True
        await self._ask("chat.postMessage", {**answer(message), **below, "unfurl_links": False}, http)

    def _at(self, shown: dict[str, Any]) -> dict[str, Any]:
        return {**shown, "channel": self.config.channel_id, "unfurl_links": False, "unfurl_media": False}

    async def _hook(self, url: str, shown: dict[str, Any], http: Client) -> None:
        body = msgspec.json.encode(shown)
        response = await http.post(url, body, {"Content-Type": "application/json"}, self.timeout)
        response.require_success()
        if (said := response.text()) == "ok":
            return
        if _ERROR.fullmatch(said):  # Slack answers 200 with an error inside
            raise Rejected(f"Slack said: {said}")
        raise Unclear(f"not Slack's answer: {said}")

    async def _ask(self, method: str, asked: dict[str, Any], http: Client) -> Response:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Authorization": f"Bearer {self.config.bot_token.get_secret_value()}",
        }
        url = f"{self.config.api_url.rstrip('/')}/{method}"
        response = await http.post(url, msgspec.json.encode(asked), headers, self.timeout)
        response.require_success()
        _require_ok(response)
        return response


def _require_ok(response: Response) -> None:
    """Slack answers 200 with an error inside. Raises Gone, Unavailable or Rejected."""
    said = response.json()
    if said.get("ok") is True:
        return
    if said.get("ok") is not False:
        raise Unclear(f"not Slack's answer: {response.text()}")
    why = str(said.get("error", "unknown error"))[:100]
    told = f"Slack said: {why}"
    if why in _GONE:
        raise Gone(told)
    raise Unavailable(told, response.retry_after()) if why in _PASSING else Rejected(told)
