"""Web Push: to a browser that subscribed. RFC 8030 (delivery), 8291 and 8188 (encryption), 8292 (VAPID).

What is sent is a declarative push message, which newer browsers show by themselves and a service worker
of any other can read. https://www.w3.org/TR/push-api/#declarative-push-message
"""

from typing import Any, Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from pydantic import BaseModel, Field, SecretStr, field_validator

from tocsin.core import clock
from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.notify.answer import require_no_page
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.drivers.webpush import keys
from tocsin.notify.drivers.webpush.encryption import MAX_PLAIN, encrypted
from tocsin.notify.drivers.webpush.vapid import proof
from tocsin.notify.message import ACKNOWLEDGED, RESOLVED, Message
from tocsin.notify.wording import cut_bytes, plain

MAX_TITLE: Final = 250
DAY: Final = 24 * 3600
_GONE: Final = (404, 410)


class Keys(msgspec.Struct):
    """What a message is encrypted for, in base64url."""

    p256dh: str
    auth: str


class Subscription(msgspec.Struct):
    """What a browser's ``pushManager.subscribe()`` gives."""

    endpoint: str
    keys: Keys


class Config(BaseModel):
    subscription: SecretStr = Field(
        description="What the browser's subscribe() gave, as JSON: endpoint and keys"
    )
    vapid_key: SecretStr = Field(
        description="Private key of the server that the browser subscribed to: PEM, or base64url of 32 bytes"
    )
    contact: str = Field(
        description="Who runs this, for the push service: mailto:ops@example.com or https://…",
        pattern=r"^(mailto:.+@.+|https://.+)$",
    )

    @field_validator("subscription")
    @classmethod
    def _is_one(cls, value: SecretStr) -> SecretStr:
        try:
            found = _subscription(value)
            keys.public(keys.decoded(found.keys.p256dh))
        except ValueError as error:
            raise ValueError(f"not a subscription: {error}") from None
        if not found.endpoint.startswith(("https://", "http://")) or len(keys.decoded(found.keys.auth)) != 16:
            raise ValueError("not a subscription: it needs an endpoint, and 16 bytes of auth")
        return value

    @field_validator("vapid_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        try:
            keys.private(value.get_secret_value())
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("not a private key on the curve P-256") from None
        return value


class Driver(BaseDriver[Config]):
    """Shows a notification in a browser."""

    Config = Config
    concurrency = 2
    folds = True

    async def send(self, message: Message, http: Client) -> str:
        to, ours = _subscription(self.config.subscription), self.config.vapid_key.get_secret_value()
        headers = {
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(DAY),
            "Urgency": _urgency(message),
            "Topic": message.key,  # of one incident's, a browser that was away sees the newest
            "Authorization": proof(to.endpoint, self.config.contact, keys.private(ours), clock.now()),
        }
        theirs = keys.decoded(to.keys.p256dh), keys.decoded(to.keys.auth)
        body = encrypted(notification(message), *theirs)
        response = await http.post(to.endpoint, body, headers, self.timeout)
        if response.status in _GONE:
            raise Rejected(
                f"HTTP {response.status}: the browser's subscription has ended; it must be made anew"
            )
        response.require_success()
        require_no_page(response, Unavailable)  # the browser shows it once, by its tag
        return f"HTTP {response.status}"


def notification(message: Message) -> bytes:
    """The message as a declarative push message."""
    title = cut_bytes(" ".join(message.headline.split()), MAX_TITLE)
    told: dict[str, Any] = {
        "web_push": 8030,
        "notification": {
            "title": title,
            "navigate": message.url,
            "tag": message.key,
            "body": plain(message, 3_000, headline=False, link=False),
            "data": {"kind": message.kind, "severity": message.severity, "id": message.id},
        },
    }
    while len(body := msgspec.json.encode(told)) > MAX_PLAIN:  # signs that JSON spells out
        text = told["notification"]["body"]
        told["notification"]["body"] = cut_bytes(text, len(text.encode()) * 2 // 3)
    return body


def _urgency(message: Message) -> str:
    """Whether a phone that saves its battery is woken."""
    if message.kind in (ACKNOWLEDGED, RESOLVED) or message.severity == "info":
        return "normal"
    return "high"


def _subscription(given: SecretStr) -> Subscription:
    return msgspec.json.decode(given.get_secret_value(), type=Subscription)
