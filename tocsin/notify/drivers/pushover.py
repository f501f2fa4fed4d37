"""Pushover. https://pushover.net/api

An emergency is repeated until somebody says on the phone to have seen it. Who takes the incident on in
Tocsin ends that too: the emergencies of an incident carry its key as their tag.
"""

from typing import Any, Final

import msgspec
from pydantic import BaseModel, Field, SecretStr

from tocsin.core.errors import Rejected
from tocsin.core.http import Client
from tocsin.notify.answer import required
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import ACKNOWLEDGED, RESOLVED, Message
from tocsin.notify.wording import cut, plain

MAX_MESSAGE: Final = 1024
MAX_TITLE: Final = 250
MAX_URL: Final = 512
EMERGENCY: Final = 2
_PRIORITIES: Final = {"critical": 1, "info": -1}


class Config(BaseModel):
    token: SecretStr = Field(description="API token of an application at pushover.net")
    user: SecretStr = Field(description="Key of the user or group")
    device: str = Field(default="", description="Only to this device; several separated by commas")
    sound: str = Field(default="", description="Name of a sound, in place of the user's own")
    emergency: bool = Field(default=False, description="Repeat what is critical until somebody has seen it")
    retry: int = Field(default=60, ge=30, description="Seconds between an emergency's repeats")
    expire: int = Field(default=3600, ge=30, le=10_800, description="Seconds after which they end")
    url: str = Field(
        default="https://api.pushover.net", description="The API's address", pattern=r"^https?://"
    )


class Driver(BaseDriver[Config]):
    """Pushes to phones and desktops by Pushover."""

    Config = Config
    concurrency = 2  # as many connections as Pushover allows
    folds = True

    async def send(self, message: Message, http: Client) -> str:
        if self.config.emergency and message.kind in (ACKNOWLEDGED, RESOLVED):
            await self._post(f"receipts/cancel_by_tag/{message.key}", {}, http)
        answer = await self._post("messages", pushed(message, self.config), http)
        return f"request={answer.get('request', '')}"

    async def _post(self, what: str, told: dict[str, Any], http: Client) -> dict[str, Any]:
        body = msgspec.json.encode({"token": self.config.token.get_secret_value(), **told})
        url = f"{self.config.url.rstrip('/')}/1/{what}.json"
        response = await http.post(url, body, {"Content-Type": "application/json"}, self.timeout)
        response.require_success()
        if required(response, "status") != "1":
            raise Rejected(f"Pushover said: {response.text()}")
        return response.json()


def pushed(message: Message, config: Config) -> dict[str, Any]:
    """The message as Pushover takes it, but for the application's token."""
    told: dict[str, Any] = {
        "user": config.user.get_secret_value(),
        "title": cut(message.headline, MAX_TITLE),
        "message": cut(plain(message, MAX_MESSAGE, headline=False, link=False).strip(), MAX_MESSAGE),
        "priority": _priority(message, config.emergency),
    }
    if len(message.url) <= MAX_URL:
        told |= {"url": message.url, "url_title": "Open in Tocsin"}
    if told["priority"] == EMERGENCY:
        told |= {"retry": config.retry, "expire": config.expire, "tags": message.key}
    return told | {name: value for name in ("device", "sound") if (value := getattr(config, name))}


def _priority(message: Message, emergency: bool) -> int:
    if message.kind == ACKNOWLEDGED:
        return -1
    if message.kind == RESOLVED:
        return 0
    return EMERGENCY if emergency and message.severity == "critical" else _PRIORITIES.get(message.severity, 0)
