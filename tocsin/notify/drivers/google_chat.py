"""Google Chat's incoming webhooks. https://developers.google.com/workspace/chat/quickstart/webhooks

A webhook can answer in a thread and change nothing.
"""

from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from pydantic import BaseModel, Field

from tocsin.core.errors import Unavailable
from tocsin.core.http import Client, Response
from tocsin.notify import markup
from tocsin.notify.answer import required, word
from tocsin.notify.drivers import NEW, THREAD, Gone, Handle, Rate, ThreadedDriver
from tocsin.notify.message import Message
from tocsin.notify.secret_url import SecretUrl
from tocsin.notify.wording import colour, sign

MAX_TITLE: Final = 200
MAX_TEXT: Final = 8_000  # of the 32,000 bytes that a message has
HTML: Final = markup.html("<br>", size=markup.in_json)
TEXT: Final = markup.text()
START, ANSWER = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD", "REPLY_MESSAGE_OR_FAIL"


class Config(BaseModel):
    webhook_url: SecretUrl = Field(
        description="The webhook's URL, https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=…"
    )


class Driver(ThreadedDriver[Config]):
    """Posts a card to a Google Chat space, and answers it in its thread."""

    Config = Config
    concurrency = 1  # in order
    rate = Rate(per_second=1)  # what all webhooks of a space may write together
    folds = True
    hosts = ("chat.googleapis.com",)
    modes = (NEW, THREAD)

    async def post(self, message: Message, http: Client) -> Handle:
        answer = await self._create(message, message.id, START, {"threadKey": message.id}, http)
        answer.require_success()
        return {"thread": word(answer, answer.json().get("thread"), "name", Unavailable)}

    async def edit(self, handle: Handle, message: Message, http: Client) -> None:
        """Nothing: what a webhook posted stays as it is, and the answer tells what happened."""

    async def reply(self, handle: Handle, message: Message, http: Client) -> None:
        thread = {"name": handle["thread"]}
        answer = await self._create(message, f"{message.id}-reply", ANSWER, thread, http)
        if answer.status == 404:
            raise Gone(f"HTTP 404: {answer.text()}")
        answer.require_success()
        required(answer, "name", Unavailable)

    async def _create(
        self, message: Message, request_id: str, option: str, thread: dict[str, str], http: Client
    ) -> Response:
        """Make a message: one, however often it is asked for under the same ``request_id``."""
        hook = self.config.webhook_url.get_secret_value()
        query = urlencode({"messageReplyOption": option, "requestId": request_id})
        url = f"{hook}{'&' if '?' in hook else '?'}{query}"
        body = msgspec.json.encode({**card(message), "thread": thread})
        return await http.post(url, body, {"Content-Type": "application/json; charset=UTF-8"}, self.timeout)


def card(message: Message) -> dict[str, Any]:
    """The message as a card, and in one line for phones."""
    title = f"{sign(message)} {markup.headline(message, MAX_TITLE, TEXT)}"
    paragraphs = [
        markup.said(message, MAX_TEXT, HTML),
        markup.linked(message, MAX_TEXT, HTML),
        f'<font color="{colour(message)}">{markup.source(message, MAX_TITLE, HTML)}</font>',
    ]
    widgets = [{"textParagraph": {"text": text}} for text in paragraphs if text]
    return {
        "fallbackText": title.replace("<", "‹"),  # <users/all> calls everybody
        "cardsV2": [
            {"cardId": "message", "card": {"header": {"title": title}, "sections": [{"widgets": widgets}]}}
        ],
    }
