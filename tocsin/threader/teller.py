"""Tells Slack what waits: one group at a time, oldest first, each under a lease.

One message at a time is under way in an instance, so that its death repeats one at most.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

import msgspec

from tocsin.core import clock, log
from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.ids import new_id
from tocsin.notify.discreet import Discreet
from tocsin.notify.drivers import THREAD
from tocsin.notify.drivers.slack import Driver
from tocsin.notify.threads import tell
from tocsin.threader import wording
from tocsin.threader.counted import Counted
from tocsin.threader.store import LEASE_SECONDS, BaseStore, Claim
from tocsin.threader.thread import News, Thread, Webhook, follow, forgotten, kept_for

logger = log.get(__name__)

POLL_SECONDS: Final = 0.2  # what other instances keep rings no bell here
GRACE_SECONDS: Final = 2.0  # after the store was away: who had just told something writes that down first
FIRST_RETRY, LONGEST_RETRY = 1.0, 300.0
LAST_TRIES: Final = 20  # to write down what was told, when asked to end
REFUSED_RETRY: Final = 60.0
GIVE_UP_AFTER: Final = timedelta(hours=12)

_thread = msgspec.json.Decoder(Thread)
_webhook = msgspec.json.Decoder(Webhook)
encode = msgspec.json.Encoder().encode


class Teller:
    """One instance's; belongs to one event loop. ``beat_at`` is when it last was about to do something."""

    def __init__(
        self, store: BaseStore, driver: Driver, http: Client, lasting: timedelta, counted: Counted
    ) -> None:
        self._store, self._driver, self._http = store, driver, http
        self._lasting, self._counted = lasting, counted
        self._discreet = Discreet(driver.config)
        self._rung = asyncio.Event()
        self._stopping = False
        self._failures = 0  # of Slack, in a row
        self.beat_at = time.monotonic()

    def ring(self) -> None:
        """Something was kept: have it told at once."""
        self._rung.set()

    def stop(self) -> None:
        """End once what is under way is done."""
        self._stopping = True
        self._rung.set()

    async def run(self) -> None:
        """Tell until stopped."""
        while not self._stopping:
            self.beat_at = time.monotonic()
            try:
                found = await self._store.claim()
            except Unavailable as error:
                await self._store_back(error)
                continue
            if isinstance(found, Claim):
                await self._tell(found)
            else:
                await self._rest(min(found, POLL_SECONDS))

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        if not self._stopping:
            self._rung.clear()

    async def _store_back(self, error: Unavailable) -> None:
        """Wait until the store answers again, and a little longer."""
        self._store_failed(error)
        while self._counted.store_error and not self._stopping:
            self.beat_at = time.monotonic()
            await asyncio.sleep(0.2)
            try:
                await self._store.depth()
            except Unavailable as still:
                self._counted.store_error = str(still)
            else:
                self._counted.store_error = ""
                logger.warning("threader.store_back", store=self._store.name)
        if not self._stopping:
            await asyncio.sleep(GRACE_SECONDS)

    def _store_failed(self, error: Unavailable) -> None:
        self._counted.error("store")
        if not self._counted.store_error:
            logger.warning("threader.store_lost", store=self._store.name, error=str(error))
        self._counted.store_error = str(error)

    async def _tell(self, claim: Claim) -> None:
        """Tell the first that is new of what waits; all of it at once where it waited because Slack did not
        take it."""
        thread = _thread.decode(claim.thread) if claim.thread else None
        webhooks = [_read(body) for body in claim.waiting]
        done, after, found = self._found(claim, thread, [one for one in webhooks if one is not None])
        if unread := sum(one is None for one in webhooks[:done]):
            logger.error("threader.unread", group=claim.group, webhooks=unread)
            self._counted.error("webhook")
        if found is None:
            self._counted.webhook("repeated", done)
            await self._record(claim, done, after)
            return
        try:
            async with self._leased(claim):
                handle = await self._post(found)
        except (Unavailable, Rejected) as error:
            await self._failed(claim, done, thread, found.last, error)
            return
        self._slack_works()
        told = msgspec.structs.replace(found.thread, handle=handle)
        coalesced = claim.limited or bool(claim.attempts)
        self._counted.webhook("told", done if coalesced else 1)
        self._counted.webhook("repeated", 0 if coalesced else done - 1)
        await self._record(claim, done, told)

    def _found(
        self, claim: Claim, thread: Thread | None, webhooks: list[Webhook]
    ) -> tuple[int, Thread | None, News | None]:
        """How many of what waits a message tells, the thread after them, and that message, if any."""
        number, now = new_id(), clock.now()
        if webhooks and (claim.limited or claim.attempts):
            return len(claim.waiting), *follow(thread, webhooks, number, now, self._lasting)
        for count, webhook in enumerate(webhooks, 1):
            thread, found = follow(thread, [webhook], number, now, self._lasting)
            if found is not None:
                return count + len(claim.waiting) - len(webhooks), thread, found
        return len(claim.waiting), thread, None

    async def _post(self, found: News) -> dict[str, str]:
        """Tell it; return by what the head is found from now on."""
        handle = found.thread.handle
        head, answer = wording.head(found), wording.answer(found)
        said = await tell(self._driver, THREAD, answer, self._http, handle or None, head)
        opened = said.handle is not None
        self._counted.message("opened" if opened else "answered")
        if found.reason == "resolved":
            self._counted.message("resolved")
        logger.info(
            "threader.told",
            group=found.last.title,
            reason=found.reason,
            trace_id=found.last.trace_id,
            said=said.answer,
        )
        return said.handle if said.handle is not None else handle

    @asynccontextmanager
    async def _leased(self, claim: Claim) -> AsyncIterator[None]:
        """Keep the lease while Slack takes its time."""
        renewing = asyncio.create_task(self._renew(claim))
        try:
            yield
        finally:
            renewing.cancel()

    async def _renew(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with suppress(Unavailable):  # the next may reach it; what follows is fenced in any case
                await self._store.extend(claim)

    async def _record(self, claim: Claim, done: int, thread: Thread | None) -> None:
        """Write down what was told. It happened, so this is tried until the store is back, or a while at
        the end."""
        kept, lasting = b"", timedelta(seconds=1)
        if thread is not None:
            kept, lasting = encode(forgotten(thread, clock.now())), kept_for(thread, self._lasting)
        patience = LAST_TRIES
        while patience:
            self.beat_at = time.monotonic()
            patience -= self._stopping
            try:
                if not await self._store.finish(claim, done, kept, lasting):
                    logger.warning("threader.overtaken", group=claim.group)
                self._counted.store_error = ""
                return
            except Unavailable as error:
                self._store_failed(error)
                await asyncio.sleep(0.1)

    async def _failed(
        self, claim: Claim, done: int, thread: Thread | None, last: Webhook, error: Unavailable | Rejected
    ) -> None:
        """Try again later, at Slack's word where it gave one; for half a day."""
        self._counted.error("slack")
        said = self._discreet.told(str(error))
        if not self._counted.slack_error:
            logger.warning("threader.slack_failed", error=said, trace_id=last.trace_id)
        self._counted.slack_error = said
        asked = error.retry_after if isinstance(error, Unavailable) else None
        if clock.now() - last.received_at > GIVE_UP_AFTER:
            logger.error("threader.given_up", group=last.title, error=said, trace_id=last.trace_id)
            self._counted.error("given_up")
            self._counted.webhook("given_up", done)
            await self._record(claim, done, thread)
            return
        first = REFUSED_RETRY if isinstance(error, Rejected) else FIRST_RETRY
        wait = min(LONGEST_RETRY, first * 2 ** min(claim.attempts, 20)) * random.uniform(0.5, 1.0)
        try:
            if asked is not None:
                await self._store.pause(asked)
            await self._store.retry(claim, max(wait, asked or 0) if asked is None else asked)
        except Unavailable as lost:  # then its lease ends by itself
            self._store_failed(lost)
        if isinstance(error, Unavailable) and asked is None:
            self._failures += 1
            await self._rest(min(30.0, 0.25 * 2 ** min(self._failures, 10)))

    def _slack_works(self) -> None:
        if self._counted.slack_error:
            logger.warning("threader.slack_back")
        self._failures, self._counted.slack_error = 0, ""


def _read(body: bytes) -> Webhook | None:
    """None for what another version kept, and this one cannot read."""
    try:
        return _webhook.decode(body)
    except msgspec.DecodeError:
        return None
