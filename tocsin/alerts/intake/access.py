"""Who may post: anybody on loopback; beyond it, holders of a key or of the driver's secret."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Final

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection

from tocsin.accounts import services as accounts
from tocsin.accounts.models import ApiKey
from tocsin.core import config
from tocsin.core.errors import Unavailable

KEYS_FRESH_SECONDS: Final = 5.0
MAY_POST: Final = (ApiKey.INGEST, ApiKey.WRITE)


class Denied(Exception):
    """No way in: 401 where credentials are missing, 403 where they are wrong."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Access:
    """Decides over posts. ``open_door`` is whether those without credentials may come in."""

    def __init__(self, open_door: bool) -> None:
        self._open = open_door
        self._keys: dict[str, str] = {}
        self._read_at = float("-inf")

    async def check(self, driver: str, headers: Mapping[bytes, bytes], body: bytes) -> None:
        """Raise Denied unless this post may come in.

        Where ``WEBHOOK_SECRET_<DRIVER>`` is set, the body must be signed with it, or a key sent;
        a wrong signature is refused whatever else is right.
        """
        secret = config.webhook_secret(driver)
        if not secret and self._open:
            return
        signature = _signature(driver, headers)
        if secret and signature:
            if not _signed(secret, signature, body):
                raise Denied(403, "the signature does not fit the body")
            return
        key = _key(headers)
        scope = await self._scope(key) if key else None
        if scope in MAY_POST:
            return
        if secret:
            raise Denied(
                403, f"sign the body: X-{driver.title()}-Signature with the hex HMAC-SHA256 under the secret"
            )
        if scope:
            raise Denied(403, f"the key's scope is {scope}; posting alerts needs {' or '.join(MAY_POST)}")
        if key:
            raise Denied(403, "the key is unknown or revoked")
        raise Denied(401, "send a key: Authorization: Bearer … (tocsin api_key create NAME)")

    async def _scope(self, key: str) -> str | None:
        if time.monotonic() - self._read_at > KEYS_FRESH_SECONDS:
            self._keys = await sync_to_async(_read_keys)()
            self._read_at = time.monotonic()
        return self._keys.get(accounts.digest_of(key))


def _read_keys() -> dict[str, str]:
    try:
        return accounts.keys_in_force()
    except DatabaseError as error:
        connection.close()  # it may be the connection that broke: the next post makes another
        raise Unavailable("keys cannot be read from the database; try again shortly", 2) from error


def _signature(driver: str, headers: Mapping[bytes, bytes]) -> str:
    for name in (f"x-{driver}-signature".encode(), b"x-tocsin-signature", b"x-hub-signature-256"):
        if name in headers:
            return headers[name].decode("latin-1").strip().removeprefix("sha256=").lower()
    return ""


def _signed(secret: str, signature: str, body: bytes) -> bool:
    right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), signature.encode("latin-1", "replace"))


def _key(headers: Mapping[bytes, bytes]) -> str:
    """The key of a Bearer header, or the password of a Basic one (for clients that know no other)."""
    scheme, _, value = headers.get(b"authorization", b"").decode("latin-1").strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("utf-8", "replace").partition(":")[2]
        except binascii.Error:
            return ""
    return ""
