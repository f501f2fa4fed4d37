"""JSON to any URL, signed. The body is the message; ``Idempotency-Key`` and ``id`` are the same for
every try, so that a receiver can tell a repeat."""

import hashlib
import hmac

import msgspec
from pydantic import BaseModel, Field, SecretStr

from tocsin.core.http import Client
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import Message

_encode = msgspec.json.Encoder().encode


class Config(BaseModel):
    url: str = Field(description="Where to post", pattern=r"^https?://")
    secret: SecretStr = Field(
        default=SecretStr(""), description="Signs the body: X-Tocsin-Signature: sha256=HMAC-SHA256 in hex"
    )


class Driver(BaseDriver[Config]):
    """Posts the message as JSON."""

    Config = Config
    concurrency = 32

    async def send(self, message: Message, http: Client) -> str:
        body = _encode(message)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Tocsin",
            "Idempotency-Key": message.id,
            "X-Correlation-Id": message.trace_id,
        }
        if secret := self.config.secret.get_secret_value():
            headers["X-Tocsin-Signature"] = (
                "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            )
        response = await http.post(self.config.url, body, headers, self.timeout)
        response.require_success()
        return f"HTTP {response.status}"
