"""A stand-in for Slack's incoming webhooks: keeps to their documented rules and answers as they do.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver, receiver

PATH = "/services/T0001/B0001/abcdefghijklmnop"
MAX_BLOCKS = 50


class Invalid(Exception):
    """What Slack would refuse, with its own word for it."""


class Slack:
    """``messages`` holds what it accepted. ``answers`` come first, in order, like a receiver's."""

    def __init__(self, behind: Receiver) -> None:
        self._behind = behind
        self.messages: list[Any] = []
        self.answers = behind.answers
        behind.answer_to = self._answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._behind.port}{PATH}"

    @property
    def requests(self) -> list[Received]:
        return self._behind.received

    def _answer(self, received: Received) -> Answer:
        if received.path != PATH:
            return Answer(404, b"no_service", {"Content-Type": "text/html"})
        try:
            message = msgspec.json.decode(received.body)
            check(message)
        except (msgspec.DecodeError, Invalid) as error:
            said = str(error) if isinstance(error, Invalid) else "invalid_payload"
            return Answer(400, said.encode(), {"Content-Type": "text/html"})
        self.messages.append(message)
        return Answer(200, b"ok", {"Content-Type": "text/html"})


@contextmanager
def slack() -> Iterator[Slack]:
    """A Slack on a free port, gone at the end."""
    with receiver() as behind:
        yield Slack(behind)


def check(message: Any) -> None:
    """Raise Invalid unless Slack would take this message."""
    if not isinstance(message, dict):
        raise Invalid("invalid_payload")
    attachments = message.get("attachments", [])
    if not (message.get("text") or message.get("blocks") or attachments):
        raise Invalid("no_text")
    if len(message.get("text", "")) > 40_000:
        raise Invalid("msg_too_long")
    if len(attachments) > 100:
        raise Invalid("too_many_attachments")
    _blocks(message.get("blocks", []))
    for attachment in attachments:
        _blocks(attachment.get("blocks", []))


def _blocks(blocks: list[dict[str, Any]]) -> None:
    if len(blocks) > MAX_BLOCKS:
        raise Invalid("invalid_blocks")
    for block in blocks:
        kind = block["type"]
        if kind == "header":
            _text(block["text"], 150, "plain_text")
        elif kind == "section":
            _text(block["text"], 3000, "mrkdwn", "plain_text")
        elif kind == "context":
            if not 1 <= len(block["elements"]) <= 10:
                raise Invalid("invalid_blocks")
            for element in block["elements"]:
                _text(element, 3000, "mrkdwn", "plain_text")
        elif kind != "divider":
            raise Invalid("invalid_blocks")


def _text(text: dict[str, Any], most: int, *kinds: str) -> None:
    if text["type"] not in kinds or not 1 <= len(text["text"]) <= most:
        raise Invalid("invalid_blocks")
