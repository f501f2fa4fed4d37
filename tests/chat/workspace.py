"""A Slack workspace with our app: presses, forms and commands as Slack posts them, signed with its secret."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client
from slack_sdk.signature import SignatureVerifier

from tests.fakes.slack import CHANNEL, TRIGGER, Slack
from tests.world import World
from tocsin.accounts import services as accounts

SECRET: Final = "8f742231b10e8888abcd99yyyzzz85a5"
TEAM: Final = "T0001"
_stamps = itertools.count(1)


@dataclass
class Workspace:
    """``press`` and ``command`` come back with the HTTP answer; ``said`` waits for what is said later."""

    world: World
    slack: Slack
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True, REMOTE_ADDR=_address()))

    def member(self, name: str, member: str = "", **columns: Any) -> User:
        """Somebody who has linked their account."""
        user: User = get_user_model().objects.create_user(name, **columns)
        accounts.link_chat(
            service="slack", team=TEAM, member=member or name, name=name, user=user, now=self.world.now
        )
        return user

    def pressed(self, action: str, value: str, by: str = "anna", **fields: Any) -> dict[str, Any]:
        """What Slack sends for a press."""
        chosen = (
            {"selected_option": {"value": value}} if ":" in value and action in _LISTS else {"value": value}
        )
        stamp = fields.pop("stamp", f"1548426417.{next(_stamps):06}")
        return {
            "type": "block_actions",
            "user": {"id": by, "username": by, "team_id": TEAM},
            "team": {"id": TEAM, "domain": "acme"},
            "channel": {"id": CHANNEL, "name": "ops"},
            "container": {"type": "message_attachment", "message_ts": "1.1"},
            "message": {"text": "x" * 2000},
            "response_url": self.slack.response_url,
            "trigger_id": TRIGGER,
            "actions": [{"action_id": action, "block_id": "b", "action_ts": stamp, **chosen}],
            **fields,
        }

    def press(self, action: str, value: Any, by: str = "anna", **fields: Any) -> Any:
        """Press a button; what the web process answers."""
        return self.interact(self.pressed(action, str(value), by, **fields))

    def interact(self, payload: dict[str, Any]) -> Any:
        return self.post("actions", urlencode({"payload": msgspec.json.encode(payload).decode()}).encode())

    def command(self, text: str, by: str = "anna", **fields: str) -> Any:
        """Write ``/tocsin text``."""
        given = {
            "token": "x", "team_id": TEAM, "channel_id": CHANNEL, "user_id": by, "user_name": by,
            "command": "/tocsin", "text": text, "response_url": self.slack.response_url, **fields,
        }  # fmt: skip
        return self.post("commands", urlencode(given).encode())

    def post(self, where: str, body: bytes, **headers: str) -> Any:
        """What Slack posts, with its headers, unless others are given."""
        kind = "application/json" if where == "events" else "application/x-www-form-urlencoded"
        told = {**signed(body), **headers}
        return self.client.post(f"/chat/slack/{where}/", body, content_type=kind, headers=told)

    def said(self, count: int = 1) -> list[str]:
        """All that was said to people, once it is so much."""
        until(lambda: len(self.slack.said) >= count)
        return [text_of(message) for message in self.slack.said]


def _address() -> str:
    """Another for each workspace, as those that fail too often must wait."""
    return f"198.51.{next(_stamps) % 250}.{next(_stamps) % 250}"


_LISTS: Final = ("tocsin_silence", "tocsin_more")


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """The headers that Slack's own library makes."""
    stamp = str(int(time.time() if at is None else at))
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": str(signature)}


def text_of(message: dict[str, Any]) -> str:
    """All that a message says."""
    blocks = message.get("blocks", [])
    parts = [block["text"]["text"] for block in blocks if "text" in block]
    return "\n".join(parts) or message["text"]


def until(holds: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for something; fails the test where it does not come."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
