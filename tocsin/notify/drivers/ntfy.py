"""ntfy, by publishing JSON. https://docs.ntfy.sh/publish/#publish-as-json

Text is published as text: ntfy reads Markdown only where it is told to.
"""

import re
from typing import Any, Final

import msgspec
from pydantic import BaseModel, Field, SecretStr, field_validator

from tocsin.core.errors import Unavailable
from tocsin.core.http import Client, authorization
from tocsin.notify.answer import required
from tocsin.notify.drivers import BaseDriver, Rate
from tocsin.notify.message import ACKNOWLEDGED, RESOLVED, Message
from tocsin.notify.wording import cut_bytes, links, plain

MAX_TITLE: Final = 250
MAX_MESSAGE: Final = 3_800  # bytes; above 4,096 ntfy makes a file of it
MAX_REQUEST: Final = 8_000  # bytes; ntfy reads twice the length of a message
MAX_ACTIONS: Final = 3
_TOPIC: Final = re.compile(r"[-_A-Za-z0-9]{1,64}")
_PRIORITIES: Final = {"critical": 5, "error": 4, "warning": 3, "info": 2}
_SIGNS: Final = {"critical": "rotating_light", "error": "red_circle", "warning": "warning"}


class Config(BaseModel):
    url: str = Field(default="https://ntfy.sh", description="The server's address", pattern=r"^https?://")
    topic: SecretStr = Field(description="The topic; on a public server whoever knows it can read it")
    token: SecretStr = Field(default=SecretStr(""), description="Access token, where the topic asks for one")
    username: str = Field(default="", description="Sign in as, where there is no token")
    password: SecretStr = Field(default=SecretStr(""), description="Password of that user")

    @field_validator("topic")
    @classmethod
    def _is_a_topic(cls, value: SecretStr) -> SecretStr:
        if not _TOPIC.fullmatch(value.get_secret_value()):
            raise ValueError("a topic is 1 to 64 letters, digits, dashes and underscores")
        return value


class Driver(BaseDriver[Config]):
    """Publishes to a topic of ntfy, for phones and desktops."""

    Config = Config
    concurrency = 2
    rate = Rate(per_second=0.2, burst=60)  # ntfy.sh's: one every five seconds in the long run
    folds = True

    async def send(self, message: Message, http: Client) -> str:
        headers = {"Content-Type": "application/json", **self._proof()}
        body = published(message, self.config.topic.get_secret_value())
        response = await http.post(self.config.url.rstrip("/") + "/", body, headers, self.timeout)
        response.require_success()
        return f"id={required(response, 'id', Unavailable)}"

    def _proof(self) -> dict[str, str]:
        config = self.config
        token, password = config.token.get_secret_value(), config.password.get_secret_value()
        return authorization(token=token, username=config.username, password=password)


def published(message: Message, topic: str) -> bytes:
    """The request's body. A message that is sent again takes the place of the one that came before."""
    told: dict[str, Any] = {
        "topic": topic,
        "title": cut_bytes(" ".join(message.headline.split()), MAX_TITLE),
        "message": cut_bytes(plain(message, MAX_MESSAGE, headline=False, link=False), MAX_MESSAGE),
        "priority": _priority(message),
        "tags": [_sign(message), message.severity or message.kind],
        "click": message.url,
        "actions": [{"action": "view", "label": name, "url": url} for name, url in links(message)][
            :MAX_ACTIONS
        ],
        "sequence_id": message.id,
    }
    while len(body := msgspec.json.encode(told)) > MAX_REQUEST:  # signs that JSON spells out, or long links
        if len(told["message"]) > 100:
            told["message"] = cut_bytes(told["message"], len(told["message"].encode()) * 2 // 3)
        elif told["actions"]:
            told["actions"].pop()
        else:
            break
    return body


def _priority(message: Message) -> int:
    if message.kind == ACKNOWLEDGED:
        return 2
    return 3 if message.kind == RESOLVED else _PRIORITIES.get(message.severity, 3)


def _sign(message: Message) -> str:
    """The name of the picture that ntfy puts before the title."""
    if message.kind == RESOLVED:
        return "white_check_mark"
    return "eyes" if message.kind == ACKNOWLEDGED else _SIGNS.get(message.severity, "information_source")
