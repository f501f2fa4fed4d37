"""A stand-in for Slack's incoming webhooks and its Web API: keeps to their documented rules and answers as
they do.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
https://docs.slack.dev/reference/methods/chat.postMessage
https://docs.slack.dev/reference/methods/chat.update
https://docs.slack.dev/reference/block-kit/blocks
https://docs.slack.dev/reference/methods/views.open
https://docs.slack.dev/interactivity/handling-user-interaction
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver, receiver

PATH = "/services/T0001/B0001/abcdefghijklmnop"
TOKEN = "xoxb-1-abc"
APP_TOKEN = "xapp-1-abc"
RESPONSES = "/actions/T0001/1/"
TRIGGER = "13345224609.738474920.8088930838d88f008e0"
CHANNEL = "C0000000001"
MAX_BLOCKS = 50


class Invalid(Exception):
    """What Slack would refuse, with its own word for it."""


class Slack:
    """``messages`` holds what webhooks brought. What a bot posted is in ``heads``, by its ts, and what it
    answered in ``replies``. ``answers`` come first, in order, like a receiver's."""

    def __init__(self, behind: Receiver) -> None:
        self._behind = behind
        self.messages: list[Any] = []
        self.heads: dict[str, Any] = {}
        self.replies: dict[str, list[Any]] = {}
        self.calls: list[str] = []
        self.said: list[Any] = []  # to those who pressed or asked, by response_url
        self.views: list[Any] = []
        self.socket_url = ""  # what apps.connections.open gives out
        self.archived = False
        self.answers = behind.answers
        behind.answer_to = self._answer

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self._behind.port}/api/"

    @property
    def config(self) -> dict[str, Any]:
        """Of a channel that posts by the bot."""
        return {"bot_token": TOKEN, "channel_id": CHANNEL, "api_url": self.api}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._behind.port}{PATH}"

    @property
    def response_url(self) -> str:
        return f"http://127.0.0.1:{self._behind.port}{RESPONSES}x"

    @property
    def requests(self) -> list[Received]:
        return self._behind.received

    def _answer(self, received: Received) -> Answer:
        if received.path.startswith("/api/"):
            return self._method(received.path.removeprefix("/api/"), received)
        if received.path.startswith(RESPONSES):
            return self._respond(received)
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

    def _respond(self, received: Received) -> Answer:
        """What is said to somebody: it replaces no message of ours, and only they see it."""
        given = received.json
        try:
            check(given)
            if given["response_type"] != "ephemeral" or given["replace_original"] is not False:
                raise Invalid("invalid_payload")
        except (KeyError, Invalid):
            return Answer(400, b"invalid_payload")
        self.said.append(given)
        return Answer(200, b"ok")

    def _method(self, method: str, received: Received) -> Answer:
        self.calls.append(method)
        try:
            told = {"ok": True, **self._do(method, received)}
        except Invalid as error:
            told = {"ok": False, "error": str(error)}
        return Answer(200, msgspec.json.encode(told), {"Content-Type": "application/json; charset=utf-8"})

    def _do(self, method: str, received: Received) -> dict[str, Any]:
        if method == "apps.connections.open":
            return self._open(received)
        if received.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Invalid("invalid_auth" if "authorization" in received.headers else "not_authed")
        if not received.headers.get("content-type", "").startswith("application/json"):
            raise Invalid("invalid_form_data")
        given = received.json
        if method == "views.open":
            return self._view(given)
        if given.get("channel") != CHANNEL:
            raise Invalid("channel_not_found")
        if self.archived:
            raise Invalid("is_archived")
        check(given)
        if method == "chat.update":
            return self._update(given)
        if method != "chat.postMessage":
            raise Invalid("unknown_method")
        return self._post(given)

    def _open(self, received: Received) -> dict[str, Any]:
        if received.headers.get("authorization") != f"Bearer {APP_TOKEN}":
            raise Invalid("invalid_auth")
        return {"url": self.socket_url}

    def _view(self, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("trigger_id") != TRIGGER:
            raise Invalid("expired_trigger_id")
        view = given["view"]
        for part in ("title", "submit", "close"):
            _text(view[part], 24, "plain_text")
        if view["type"] != "modal" or len(view.get("private_metadata", "")) > 3000:
            raise Invalid("invalid_arguments")
        _blocks(view["blocks"])
        self.views.append(view)
        return {"view": {"id": f"V{len(self.views)}", **view}}

    def _post(self, given: dict[str, Any]) -> dict[str, Any]:
        ts = f"1795262400.{len(self._behind.received):06}"
        if "thread_ts" not in given:
            self.heads[ts] = given
        elif given["thread_ts"] in self.heads:
            self.replies.setdefault(given["thread_ts"], []).append(given)
        else:
            raise Invalid("thread_not_found")
        return {"channel": CHANNEL, "ts": ts, "message": given}

    def _update(self, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("ts") not in self.heads:
            raise Invalid("message_not_found")
        self.heads[given["ts"]] = given
        return {"channel": CHANNEL, "ts": given["ts"], "text": given["text"]}


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
        elif kind in _OTHERS:
            _OTHERS[kind](block)
        elif kind != "divider":
            raise Invalid("invalid_blocks")


def _input(block: dict[str, Any]) -> None:
    _text(block["label"], 2000, "plain_text")
    if block["element"]["type"] != "plain_text_input" or block["element"]["max_length"] > 3000:
        raise Invalid("invalid_blocks")


def _actions(block: dict[str, Any]) -> None:
    elements = block["elements"]
    if not 1 <= len(elements) <= 25 or len({one["action_id"] for one in elements}) < len(elements):
        raise Invalid("invalid_blocks")
    for element in elements:
        if not 1 <= len(element["action_id"]) <= 255:
            raise Invalid("invalid_blocks")
        if element["type"] == "button":
            _text(element["text"], 75, "plain_text")
            if (
                len(element.get("value", "")) > 2000
                or len(element.get("url", "")) > 3000
                or element.get("style", "primary") not in _STYLES
            ):
                raise Invalid("invalid_blocks")
        elif element["type"] in _MOST_OPTIONS:
            if not 1 <= len(element["options"]) <= _MOST_OPTIONS[element["type"]]:
                raise Invalid("invalid_blocks")
            for option in element["options"]:
                _text(option["text"], 75, "plain_text")
                if not 1 <= len(option["value"]) <= 150:
                    raise Invalid("invalid_blocks")
        else:
            raise Invalid("invalid_blocks")


_OTHERS = {"actions": _actions, "input": _input}
_STYLES = ("primary", "danger")
_MOST_OPTIONS = {"static_select": 100, "overflow": 5}


def _text(text: dict[str, Any], most: int, *kinds: str) -> None:
    if text["type"] not in kinds or not 1 <= len(text["text"]) <= most:
        raise Invalid("invalid_blocks")
