"""Web Push: to a browser that subscribed. RFC 8030 (delivery), 8291 and 8188 (encryption), 8292 (VAPID).

What is sent is a declarative push message, which newer browsers show by themselves and a service worker
of any other can read. https://www.w3.org/TR/push-api/#declarative-push-message
"""

import base64
import os
import re
import struct
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
from pydantic import BaseModel, Field, SecretStr, field_validator

from tocsin.core import clock
from tocsin.core.errors import Rejected
from tocsin.core.http import Client
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import ACKNOWLEDGED, RESOLVED, Message
from tocsin.notify.wording import cut_bytes, plain

MAX_PLAIN: Final = 3_993  # what 4,096 bytes hold once encrypted
MAX_TITLE: Final = 250
DAY: Final = 24 * 3600
RECORD: Final = 4_096
_GONE: Final = (404, 410)
_BESIDE: Final = re.compile(r"-----[^-]+-----|\s")  # of a PEM file, which a form may have made one line of


class Keys(msgspec.Struct):
    """What a message is encrypted for."""

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
            _public(_bytes(found.keys.p256dh))
        except ValueError as error:
            raise ValueError(f"not a subscription: {error}") from None
        if not found.endpoint.startswith(("https://", "http://")) or len(_bytes(found.keys.auth)) != 16:
            raise ValueError("not a subscription: it needs an endpoint, and 16 bytes of auth")
        return value

    @field_validator("vapid_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        try:
            _private(value.get_secret_value())
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("not a private key on the curve P-256") from None
        return value


class Driver(BaseDriver[Config]):
    """Shows a notification in a browser."""

    Config = Config
    concurrency = 2
    folds = True

    async def send(self, message: Message, http: Client) -> str:
        to = _subscription(self.config.subscription)
        headers = {
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(DAY),
            "Urgency": _urgency(message),
            "Topic": message.key,  # of one incident's, a browser that was away sees the newest
            "Authorization": self._proof(to.endpoint),
        }
        body = encrypted(notification(message), to.keys)
        response = await http.post(to.endpoint, body, headers, self.timeout)
        if response.status in _GONE:
            raise Rejected(
                f"HTTP {response.status}: the browser's subscription has ended; it must be made anew"
            )
        response.require_success()
        return f"HTTP {response.status}"

    def _proof(self, endpoint: str) -> str:
        """A token for the push service, signed with the key that the browser subscribed to (RFC 8292)."""
        key, parts = _private(self.config.vapid_key.get_secret_value()), urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(clock.now().timestamp()) + DAY // 2,
            "sub": self.config.contact,
        }
        token = ".".join(
            _text(msgspec.json.encode(part)) for part in ({"typ": "JWT", "alg": "ES256"}, claims)
        )
        r, s = decode_dss_signature(key.sign(token.encode(), ec.ECDSA(hashes.SHA256())))
        signature = _text(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        return f"vapid t={token}.{signature}, k={_text(_point(key.public_key()))}"


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


def encrypted(body: bytes, keys: Keys) -> bytes:
    """A body that only the browser can read: one record of aes128gcm."""
    salt, ours = os.urandom(16), ec.generate_private_key(ec.SECP256R1())
    theirs = _bytes(keys.p256dh)
    point = _point(ours.public_key())
    shared = ours.exchange(ec.ECDH(), _public(theirs))
    secret = _derived(shared, _bytes(keys.auth), b"WebPush: info\0" + theirs + point, 32)
    key = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
    header = salt + struct.pack("!IB", RECORD, len(point)) + point
    return header + AESGCM(key).encrypt(nonce, body + b"\x02", None)


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def _urgency(message: Message) -> str:
    """Whether a phone that saves its battery is woken."""
    if message.kind in (ACKNOWLEDGED, RESOLVED) or message.severity == "info":
        return "normal"
    return "high"


def _subscription(given: SecretStr) -> Subscription:
    return msgspec.json.decode(given.get_secret_value(), type=Subscription)


def _private(text: str) -> ec.EllipticCurvePrivateKey:
    """Raises ValueError where it is no key of the curve."""
    raw = _bytes(_BESIDE.sub("", text).replace("+", "-").replace("/", "_"))
    if len(raw) == 32:
        return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())
    key = load_der_private_key(raw, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("another kind of key")
    return key


def _public(point: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
