"""From the spool to the hub: in order, in batches, until nothing waits."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from tocsin.agent.book import Dropped
from tocsin.agent.hub import Hub, Refused, Unfit
from tocsin.agent.rounds import Alert
from tocsin.agent.spool import Batch, Say, Spool
from tocsin.agent.version import version
from tocsin.core import clock
from tocsin.core.errors import Unavailable

FIRST_PAUSE: Final = 1.0
FIRST_PAUSE_REFUSED: Final = 15.0
LONGEST_PAUSE: Final = 300.0


class _Agent(msgspec.Struct):
    version: str
    dropped: Dropped
    waiting: int
    checks: list[str] | None


class _Push(msgspec.Struct):
    source: str
    instance_id: str
    hostname: str
    version: str
    batch_id: str
    spool: str
    sent_at: datetime
    interval: int | None
    agent: _Agent
    alerts: list[Alert]


@dataclass(frozen=True)
class About:
    """Who pushes; ``interval`` is None where nobody knows when the next push will be, ``checks`` where others
    may be made by other pushes."""

    instance_id: str
    hostname: str
    interval: int | None
    checks: list[str] | None


class Sender:
    """Sends what waits in a spool. ``sent`` counts rounds."""

    def __init__(self, spool: Spool, hub: Hub, about: About, say: Say) -> None:
        self._spool, self._hub, self._about, self._say = spool, hub, about, say
        self._most: int | None = None  # rounds in a batch, once the hub did not take one
        self._complaint = ""
        self.sent = 0

    def document(self, batch: Batch, now: datetime) -> bytes:
        """A batch as the hub takes it."""
        about = _Agent(version(), self._spool.dropped, self._spool.waiting, self._about.checks)
        return msgspec.json.encode(
            _Push(
                "cluster",
                self._about.instance_id,
                self._about.hostname,
                "1.0",
                batch.id,
                batch.spool,
                now,
                self._about.interval,
                about,
                batch.alerts,
            )
        )

    def send(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Send until nothing waits. Raises Unavailable, Refused; what the hub has not taken waits on."""
        while not stopped() and (batch := self._spool.batch(self._most)) is not None:
            try:
                self._push(batch)
            except Unfit as error:
                self._smaller(batch, error)
            except BaseException:
                self._spool.release(batch)
                raise
            else:
                self._spool.done(batch)
                self.sent += len(batch.seqs)

    def heartbeat(self) -> None:
        """Tell that this lives. Raises Unavailable, Refused."""
        try:
            self._push(Batch(self._spool.id, [self._spool.number()], []))
        except Unfit as error:
            raise Refused(
                f"it takes nothing at all, not even a sign of life ({error}): check HUB_URL"
            ) from error

    def _push(self, batch: Batch) -> None:
        now = clock.now()
        complaint = self._hub.push(self.document(batch, now), now)
        if complaint and complaint != self._complaint:
            self._say(f"the hub did not take all of it: {complaint}")
        self._complaint = complaint

    def _smaller(self, batch: Batch, error: Unfit) -> None:
        """Half as many rounds next; one alone that the hub does not take will never be taken."""
        if len(batch.seqs) > 1:
            self._most = len(batch.seqs) // 2
            self._spool.release(batch)
            return
        try:
            self.heartbeat()  # a proxy may refuse whatever comes: then it is not the round's fault
        except BaseException:
            self._spool.release(batch)
            raise
        self._spool.set_aside(batch)
        self._most = None
        self._say(
            f"the hub does not take round {batch.seqs[0]} ({error}); it is set aside, see the spool's bad/"
        )


class Patience:
    """How long to wait before the next try: at random, so that agents do not come back together."""

    def __init__(self) -> None:
        self._failures = 0

    def reset(self) -> None:
        """The hub answers again."""
        self._failures = 0

    def after(self, error: Unavailable | Refused) -> float:
        """Seconds, after one more failure."""
        longest = min(LONGEST_PAUSE, self._first(error) * 2.0 ** min(self._failures, 16))
        self._failures += 1
        if isinstance(error, Refused):
            return random.uniform(longest / 2, longest)
        if error.retry_after is not None:
            return error.retry_after + random.uniform(0, min(longest, error.retry_after + FIRST_PAUSE))
        return random.uniform(0, longest)

    @staticmethod
    def _first(error: Unavailable | Refused) -> float:
        return FIRST_PAUSE_REFUSED if isinstance(error, Refused) else FIRST_PAUSE
