"""Whose mail is taken: anybody's on loopback; beyond it, that of holders of a key."""

import time
from typing import Final

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection

from tocsin.accounts import services as accounts
from tocsin.accounts.models import ApiKey
from tocsin.alerts.listeners.addresses import Bound
from tocsin.core.errors import Misconfigured, Unavailable

FRESH_SECONDS: Final = 5.0
MAY_POST: Final = (ApiKey.INGEST, ApiKey.WRITE)


def refuse_open_door(bound: Bound | None) -> None:
    """Raise Misconfigured where others could reach an address and nobody has a key to come in with."""
    if bound is None or bound.to_loopback or _read():
        return
    raise Misconfigured(
        f"TOCSIN_SMTP_LISTEN={bound} can be reached from other machines, and there is no key to come in "
        "with. Make one first: tocsin api_key create NAME"
    )


class Keys:
    """The keys that may post, as of a few seconds ago."""

    def __init__(self) -> None:
        self._digests: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    async def refresh(self) -> None:
        """Read them again where they are old. Raises Unavailable where the database cannot be read."""
        if time.monotonic() - self._read_at <= FRESH_SECONDS:
            return
        try:
            self._digests = await sync_to_async(_read)()
        except DatabaseError as error:
            raise Unavailable("keys cannot be read from the database; try again shortly", 2) from error
        self._read_at = time.monotonic()

    def fit(self, key: bytes) -> bool:
        """Whether this key may post."""
        return accounts.digest_of(key.decode("utf-8", "replace")) in self._digests


def _read() -> frozenset[str]:
    try:
        keys = accounts.keys_in_force()
    finally:
        connection.close()
    return frozenset(digest for digest, scope in keys.items() if scope in MAY_POST)
