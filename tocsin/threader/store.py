"""Where webhooks wait and threads are remembered: what the door and the teller ask of it.

A group's webhooks are told in the order in which they were kept. Who tells them holds the group under a lease
with a fencing token; a lease that ran out is anybody's, and what its old holder still writes does not count.
"""

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Final

import msgspec

from tocsin.core.errors import Unavailable

MOST_WAITING: Final = 20_000  # webhooks; beyond that, or so many bytes, new ones are refused
MOST_BYTES: Final = 256 * 1024 * 1024
MOST_TAKEN: Final = 25  # of a group's at once
LEASE_SECONDS: Final = 6.0
# After Slack asked to wait, what waits is told as the newest state alone for so long.
LIMITED_SECONDS: Final = 30.0


class Claim(msgspec.Struct):
    """A group to tell. ``thread`` is empty where none was kept; ``attempts`` count tries of the first of
    ``waiting`` before this one; ``limited`` says that Slack has asked to wait of late."""

    group: str
    token: str
    thread: bytes
    waiting: list[bytes]
    attempts: int = 0
    limited: bool = False


def full() -> Unavailable:
    """What a sender is told when too much waits."""
    return Unavailable(
        f"{MOST_WAITING:,} webhooks or {MOST_BYTES >> 20} MiB wait for Slack; try again later", 10
    )


class Depth(msgspec.Struct, frozen=True):
    """What waits: webhooks, of so many groups."""

    webhooks: int
    groups: int


class BaseStore(ABC):
    """Keeps what must not be lost. Each call raises Unavailable where it cannot."""

    name = ""

    @abstractmethod
    async def open(self) -> None:
        """Get ready; once, on the loop that will ask."""

    @abstractmethod
    async def put(self, group: str, webhook: bytes) -> None:
        """Return when a webhook is kept."""

    @abstractmethod
    async def claim(self) -> Claim | float:
        """Take a group that is due, under a lease; else say how many seconds to rest at most."""

    @abstractmethod
    async def extend(self, claim: Claim) -> bool:
        """Renew the lease; False where somebody else has the group."""

    @abstractmethod
    async def finish(self, claim: Claim, done: int, thread: bytes, keep: timedelta) -> bool:
        """The first ``done`` of what waited are told, and this is the thread now; False where somebody
        else has the group, and then nothing is written."""

    @abstractmethod
    async def retry(self, claim: Claim, seconds: float) -> None:
        """It was not told: due again in so many seconds."""

    @abstractmethod
    async def pause(self, seconds: float) -> None:
        """Slack asked to be left alone for so long, by whatever instance."""

    @abstractmethod
    async def depth(self) -> Depth:
        """What waits; also tells whether the store can be reached."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of it."""
