"""A stand-in for a push service and the browser behind it: checks the VAPID token, and decrypts.

RFC 8030, RFC 8188, RFC 8291, RFC 8292
"""

import base64
import hashlib
import hmac
import re
import struct
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service

PATH = "/wpush/v2/gAAAAABn"
MAX_BODY = 4096


class PushService(Service):
    """``shown`` holds what the browser would show. ``server_key`` is whose messages it wants."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.browser = Browser()
        self.server_key = ec.generate_private_key(ec.SECP256R1())
        self.shown: list[dict[str, Any]] = []

    @property
    def subscription(self) -> dict[str, Any]:
        keys = {"p256dh": text(point(self.browser.key.public_key())), "auth": text(self.browser.auth)}
        return {"endpoint": self.url + PATH, "expirationTime": None, "keys": keys}

    def answer(self, received: Received) -> Answer:
        if received.path != PATH:
            return Answer(410, b'{"code": 410, "errno": 106}')
        if len(received.body) > MAX_BODY:
            return Answer(413, b"payload too large")
        try:
            self._check_proof(received.headers.get("authorization", ""))
            check_headers(received.headers)
        except Invalid as error:
            return Answer(403 if "token" in str(error) else 400, str(error).encode())
        self.shown.append(msgspec.json.decode(self.browser.decrypt(received.body)))
        return Answer(201, b"", {"Location": self.url + "/m/1"})

    def _check_proof(self, given: str) -> None:
        found = re.fullmatch(r"vapid t=([\w-]+)\.([\w-]+)\.([\w-]+), k=([\w-]+)", given)
        if not found or raw(found[4]) != point(self.server_key.public_key()):
            raise Invalid("token: not the key of the subscription")
        signature = raw(found[3])
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        signed = f"{found[1]}.{found[2]}".encode()
        try:
            self.server_key.public_key().verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise Invalid("token: the signature is wrong") from None
        claims = msgspec.json.decode(raw(found[2]))
        left = claims["exp"] - datetime.now(UTC).timestamp()
        if claims["aud"] != self.url or not 0 < left <= 24 * 3600 or ":" not in claims["sub"]:
            raise Invalid("token: the claims are wrong")


def check_headers(headers: dict[str, str]) -> None:
    """Raise Invalid unless they are what a push service wants."""
    if headers.get("content-encoding") != "aes128gcm" or not headers.get("ttl", "").isdecimal():
        raise Invalid("TTL and Content-Encoding are required")
    if headers.get("urgency") not in ("very-low", "low", "normal", "high"):
        raise Invalid("urgency is invalid")
    if not re.fullmatch(r"[\w-]{1,32}", headers.get("topic", "x"), re.ASCII):
        raise Invalid("topic must be at most 32 characters of base64url")


class Browser:
    """Its keys, and RFC 8291 read from its end."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = b"0123456789abcdef"

    def decrypt(self, body: bytes) -> bytes:
        salt, (size, length) = body[:16], struct.unpack("!IB", body[16:21])
        theirs, record = body[21 : 21 + length], body[21 + length :]
        assert len(record) <= size, "one record"
        shared = self.key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
        )
        secret = _hkdf(self.auth, shared, b"WebPush: info\0" + point(self.key.public_key()) + theirs, 32)
        key = _hkdf(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _hkdf(salt, secret, b"Content-Encoding: nonce\0", 12)
        padded = AESGCM(key).decrypt(nonce, record, None).rstrip(b"\0")
        assert padded[-1:] == b"\x02", "the last record ends with 2"
        return padded[:-1]


def _hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, by hand."""
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()[:length]


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def text(given: bytes) -> str:
    return base64.urlsafe_b64encode(given).rstrip(b"=").decode()


def raw(given: str) -> bytes:
    return base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
