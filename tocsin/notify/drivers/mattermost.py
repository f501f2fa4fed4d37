"""Mattermost, as a bot or by an incoming webhook.

https://developers.mattermost.com/api-documentation/#/operations/CreatePost
https://developers.mattermost.com/integrate/webhooks/incoming/
https://developers.mattermost.com/integrate/reference/message-attachments/
"""

from typing import Any, Final, Self

import msgspec
from pydantic import BaseModel, Field, SecretStr, model_validator

from tocsin.core.errors import Rejected, Unavailable, Unclear
from tocsin.core.http import Client, Response
from tocsin.notify import markup
from tocsin.notify.answer import required
from tocsin.notify.drivers import Gone, Handle, Rate, ThreadedDriver
from tocsin.notify.message import Message
from tocsin.notify.wording import colour

MAX_ATTACHMENT: Final = 6_000  # bytes of JSON: older servers keep 8,000 characters of attachments
MARKDOWN: Final = markup.markdown(size=markup.in_json)
TEXT: Final = markup.text(size=markup.in_json)
_GONE: Final = {
    "api.context.permissions.app_error",  # so it calls a post that was deleted
    "api.post.update_post.permissions_time_limit.app_error",
    "api.post.create_post.root_id.app_error",
    "api.post.create_post.channel_root_id.app_error",
}


class Config(BaseModel):
    webhook_url: SecretStr = Field(
        default=SecretStr(""),
        description="An incoming webhook, which can only post; otherwise what a bot needs",
    )
    url: str = Field(default="", description="A bot's server, such as https://chat.example.com")
    token: SecretStr = Field(default=SecretStr(""), description="The bot's access token")
    channel_id: str = Field(
        default="", pattern=r"^[a-z0-9]*$", description="The channel's ID, from its Info; the bot is in it"
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        hook = self.webhook_url.get_secret_value()
        bot = [self.url, self.token.get_secret_value(), self.channel_id]
        if any(bot) if hook else not all(bot):
            raise ValueError("give either webhook_url, or url, token and channel_id")
        if not (hook or self.url).startswith(("http://", "https://")):
            raise ValueError("expected a URL such as https://chat.example.com/hooks/…")
        return self


class Driver(ThreadedDriver[Config]):
    """Writes to a Mattermost channel; a bot also changes what it wrote and answers it."""

    Config = Config
    concurrency = 1  # in order
    rate = Rate(per_second=10, burst=100)  # its default, where it limits at all
    folds = True

    async def post(self, message: Message, http: Client) -> Handle:
        if hook := self.config.webhook_url.get_secret_value():
            return await self._by_webhook(hook, message, http)
        answer = await self._create(message, message.id, {}, http)
        answer.require_success()
        return {"post_id": required(answer, "id", Unavailable)}

    async def _by_webhook(self, hook: str, message: Message, http: Client) -> Handle:
        """Nothing to find the post by: Mattermost does not tell which one it made."""
        body = msgspec.json.encode({"text": headline(message), "attachments": [attachment(message)]})
        answer = await http.post(hook, body, {"Content-Type": "application/json"}, self.timeout)
        answer.require_success()
        if answer.text() != "ok":
            raise Unclear(f"not Mattermost's answer: {answer.text()}")
        return {}

    async def edit(self, handle: Handle, message: Message, http: Client) -> None:
        path = f"posts/{self._bots(handle)}/patch"
        _require_there(await self._ask("PUT", path, _post(message), http))

    async def reply(self, handle: Handle, message: Message, http: Client) -> None:
        root = {"root_id": self._bots(handle)}
        _require_there(await self._create(message, f"{message.id}-reply", root, http))

    def _bots(self, handle: Handle) -> str:
        if self.config.webhook_url.get_secret_value():
            raise Rejected("an incoming webhook can only post: give url, token and channel_id of a bot")
        return handle["post_id"]

    async def _create(self, message: Message, key: str, more: dict[str, str], http: Client) -> Response:
        # With the same pending_post_id it makes no second post, for a while.
        where = {"channel_id": self.config.channel_id, "pending_post_id": key}
        return await self._ask("POST", "posts", {**_post(message), **where, **more}, http)

    async def _ask(self, method: str, path: str, body: dict[str, Any], http: Client) -> Response:
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.config.token.get_secret_value()}",
        }
        url = f"{self.config.url.rstrip('/')}/api/v4/{path}"
        return await http.request(method, url, msgspec.json.encode(body), headers, self.timeout)


def _require_there(answer: Response) -> None:
    if answer.status == 404 or (answer.status >= 400 and answer.json().get("id") in _GONE):
        raise Gone(f"HTTP {answer.status}: {answer.text()}")
    answer.require_success()
    required(answer, "id", Unavailable)


def _post(message: Message) -> dict[str, Any]:
    return {"message": headline(message), "props": {"attachments": [attachment(message)]}}


def headline(message: Message) -> str:
    return f"**{markup.headline(message, markup.MAX_HEADLINE, MARKDOWN)}**"


def attachment(message: Message) -> dict[str, Any]:
    """What stands below the headline, beside a bar whose colour tells how bad it is."""
    ending = [
        markup.linked(message, MAX_ATTACHMENT // 2, MARKDOWN),
        markup.source(message, markup.MAX_HEADLINE, MARKDOWN),
    ]
    room = MAX_ATTACHMENT - sum(map(markup.in_json, ending)) - 20
    return {
        "color": colour(message),
        "fallback": markup.headline(message, markup.MAX_HEADLINE, TEXT),
        "text": "\n\n".join(filter(None, [markup.said(message, room, MARKDOWN), *ending])),
    }
