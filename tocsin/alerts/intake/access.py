"""Who may post: anybody on loopback; beyond it, holders of a key or of the driver's secret."""

import base64
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection

from tocsin.accounts import services as accounts
from tocsin.accounts.access import PROXY_HEADERS
from tocsin.accounts.models import ApiKey
from tocsin.alerts import sources
from tocsin.alerts.sources import Sender
from tocsin.core import clock, config
from tocsin.core.errors import Rejected, Unavailable

KEYS_FRESH_SECONDS: Final = 5.0
USUAL_AGE: Final = 300  # seconds that a post with a signed timestamp is good for
_LONGEST_STAMP: Final = 12
_PROXY_HEADERS: Final = frozenset(name.encode() for name in PROXY_HEADERS)
Proof = Callable[[bytes], Awaitable[None]]
_OF_SNS: Final = b"x-amz-sns-message-type"  # its signature stands in the payload
MAY_POST: Final = (ApiKey.INGEST, ApiKey.WRITE)
AGENT: Final = "agent"  # what an agent's own key allows: to push
OF_AGENTS: Final = "cluster"  # the driver that it pushes to


class Denied(Exception):
    """No way in: 401 where credentials are missing, 403 where they are wrong."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Access:
    """Decides over posts. ``open_door`` is whether those without credentials may come in; ``proofs``
    check what drivers' payloads themselves prove, and raise Rejected for one that is not proven;
    ``agents`` reads the agents, also those whose key was revoked, by their keys' digests."""

    def __init__(
        self,
        open_door: bool,
        proofs: Mapping[str, Proof] | None = None,
        agents: Callable[[], dict[str, Sender]] = dict,
    ) -> None:
        self._open = open_door
        self._proofs = proofs or {}
        self._agents = agents
        self._keys: dict[str, str] = {}
        self._senders: dict[str, Sender] = {}
        self._read_at = float("-inf")

    async def check(self, driver: str, headers: Mapping[bytes, bytes], body: bytes) -> Sender | None:
        """The source whose token a post carries, if any. Raises Denied unless it may come in. ``body`` is
        as it was sent.

        Where ``WEBHOOK_SECRET_<DRIVER>`` is set, the body must be signed with it, or a key sent;
        a wrong signature is refused whatever else is right. While the driver is not known yet, a
        signature lets a post come as far as being read: which secret is meant depends on the driver.
        """
        await self._check(driver, headers, body)
        return await self._sender([_key(headers)]) if b"authorization" in headers else None

    async def _check(self, driver: str, headers: Mapping[bytes, bytes], body: bytes) -> None:
        if not driver and _is_signed(headers):
            return
        if driver in self._proofs:
            await _prove(self._proofs[driver], body)
            return
        secret = config.webhook_secret(driver) if driver else ""
        if not secret and self._open and _PROXY_HEADERS.isdisjoint(headers):
            return
        signature = _signature(driver, headers)
        if secret and signature:
            stamp = headers.get(b"x-tocsin-timestamp", b"").strip()
            if not _signed(secret, signature, stamp, body):
                what = "the timestamp, a dot and the body" if stamp else "the body"
                raise Denied(403, f"the signature does not fit {what}")
            _check_age(stamp)
            return
        key = _key(headers)
        scope = await self._scope(key) if key else None
        if scope in MAY_POST or (scope == AGENT and driver == OF_AGENTS):
            return
        if secret:
            raise Denied(
                403, f"sign the body: X-{driver.title()}-Signature with the hex HMAC-SHA256 under the secret"
            )
        raise _denied(key, scope)

    async def check_key(self, own: str, headers: Mapping[bytes, bytes]) -> Sender | None:
        """The same for a post in another system's protocol: ``own`` is the key where that protocol has
        it; a Bearer or Basic header serves too."""
        given = [key for key in (own, _key(headers)) if key]
        sender = await self._sender(given)
        if sender and sender.agent:
            raise _denied(given[0], AGENT)
        if sender or (self._open and _PROXY_HEADERS.isdisjoint(headers)):
            return sender
        scopes = [await self._scope(key) for key in given]
        if not any(scope in MAY_POST for scope in scopes):
            raise _denied(next(iter(given), ""), next(filter(None, scopes), None))
        return None

    async def _sender(self, keys: Sequence[str]) -> Sender | None:
        """The source that one of these keys is the token of. Raises Denied where it was revoked."""
        for key in filter(None, keys):
            await self._refresh()
            sender = self._senders.get(accounts.digest_of(key))
            if sender is None:
                continue
            if not sender.enabled and sender.agent:
                raise Denied(403, f"the key of the agent {sender.name} is revoked (tocsin enroll)")
            if not sender.enabled:
                raise Denied(403, f"the source {sender.name} is revoked (tocsin source create NAME)")
            return sender
        return None

    async def _scope(self, key: str) -> str | None:
        await self._refresh()
        digest = accounts.digest_of(key)
        sender = self._senders.get(digest)
        if sender and sender.enabled:
            return AGENT if sender.agent else ApiKey.INGEST
        return self._keys.get(digest)

    async def _refresh(self) -> None:
        if time.monotonic() - self._read_at > KEYS_FRESH_SECONDS:
            self._keys, self._senders = await sync_to_async(self._read_keys)()
            self._read_at = time.monotonic()

    def _read_keys(self) -> tuple[dict[str, str], dict[str, Sender]]:
        try:
            return accounts.keys_in_force(), sources.senders() | self._agents()
        except DatabaseError as error:
            connection.close()  # it may be the connection that broke: the next post makes another
            raise Unavailable("keys cannot be read from the database; try again shortly", 2) from error


def _denied(key: str, scope: str | None) -> Denied:
    if scope:
        return Denied(403, f"the key's scope is {scope}; posting alerts needs {' or '.join(MAY_POST)}")
    if key:
        return Denied(403, "the key is unknown or revoked")
    return Denied(401, "send a key: Authorization: Bearer … (tocsin api_key create NAME)")


def _signature(driver: str, headers: Mapping[bytes, bytes]) -> str:
    for name in (f"x-{driver}-signature".encode(), b"x-tocsin-signature", b"x-hub-signature-256"):
        if name in headers:
            return headers[name].decode("latin-1").strip().removeprefix("sha256=").lower()
    return ""


def _is_signed(headers: Mapping[bytes, bytes]) -> bool:
    return any(name.endswith((b"-signature", b"-signature-256")) or name == _OF_SNS for name in headers)


async def _prove(proof: Proof, body: bytes) -> None:
    try:
        await proof(body)
    except Rejected as error:
        raise Denied(403, str(error)) from error


def _signed(secret: str, signature: str, stamp: bytes, body: bytes) -> bool:
    content = stamp + b"." + body if stamp else body
    right = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), signature.encode("latin-1", "replace"))


def _check_age(stamp: bytes) -> None:
    """A signed post is good for a while only, where its sender says when it was signed, or must."""
    longest = config.number("TOCSIN_SIGNATURE_MAX_AGE")
    if not stamp and not longest:
        return
    if not stamp.isdigit() or len(stamp) > _LONGEST_STAMP:
        raise Denied(
            403,
            "send X-Tocsin-Timestamp, the Unix time in whole seconds, and sign it, a dot and the body "
            "(TOCSIN_SIGNATURE_MAX_AGE)",
        )
    age, good_for = abs(clock.now().timestamp() - int(stamp)), longest or USUAL_AGE
    if age > good_for:
        raise Denied(403, f"X-Tocsin-Timestamp is {age:.0f} s off; a signed post is good for {good_for} s")


def _key(headers: Mapping[bytes, bytes]) -> str:
    """The key of a Bearer header, or the password of a Basic one (for clients that know no other)."""
    scheme, _, value = headers.get(b"authorization", b"").decode("latin-1").strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("utf-8", "replace").partition(":")[2]
        except ValueError:  # not base64, or not even ASCII
            return ""
    return ""
