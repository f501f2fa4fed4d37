"""A channel's lane: as many senders as it takes, and always one while something waits."""

import asyncio
import time
from typing import Any

from pydantic import BaseModel

from tests.notify.messages import message
from tocsin.core.errors import Unavailable
from tocsin.core.http import Client
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import Message
from tocsin.notify.outcome import Outcome
from tocsin.notify.sending import Lane, Parcel
from tocsin.notify.terms import Terms
from tocsin.notify.written import Written


class _Gate(BaseDriver[Any]):
    """A receiver that takes its time over the first few."""

    Config = BaseModel
    concurrency, timeout = 4, 1.0

    def __init__(self, slow: int, open_: asyncio.Event) -> None:
        super().__init__(None)
        self._slow, self._open = slow, open_
        self.at_once = self.most_at_once = 0

    async def send(self, message: Message, http: Client) -> str:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self._slow:
            self._slow -= 1
            await self._open.wait()
        self.at_once -= 1
        return "ok"


async def test_senders_that_end_in_one_moment_leave_nothing_behind() -> None:
    """A receiver was slow, so that there are several senders, and is quick now, so that one is enough."""
    opened, sent = asyncio.Event(), list[Outcome]()
    driver = _Gate(4, opened)
    lane = Lane("hook", driver, "webhook", Terms(1), Written(), Client(), sent.append)
    lane._seconds_each = 10.0
    lane.put(Parcel(str(number), "token", time.monotonic() + 60, message()) for number in range(12))
    while driver.at_once < 4:
        await asyncio.sleep(0)
    lane._seconds_each = -1e6
    opened.set()
    async with asyncio.timeout(10):
        while lane.busy:
            await asyncio.sleep(0)
    assert len(sent) == 12 and driver.most_at_once == 4


async def test_a_driver_that_never_ends_is_left_before_somebody_else_may_try() -> None:
    sent, driver = list[Outcome](), _Gate(1, asyncio.Event())
    driver.timeout = 0.01  # type: ignore[misc]
    lane = Lane("hook", driver, "webhook", Terms(1), Written(), Client(), sent.append)
    lane.put([Parcel("1", "token", time.monotonic() + 0.2, message())])
    async with asyncio.timeout(10):
        while lane.busy:
            await asyncio.sleep(0.01)
    [outcome] = sent
    assert (outcome.error, outcome.final, outcome.unclear) == ("no end before its lease ended", False, False)


class _Busy(BaseDriver[Any]):
    """A service that asks to wait."""

    Config = BaseModel
    concurrency, timeout = 1, 1.0

    async def send(self, message: Message, http: Client) -> str:
        raise Unavailable("HTTP 429", 60)


async def test_what_is_queued_is_given_back_when_the_service_asks_to_wait() -> None:
    sent, driver = list[Outcome](), _Busy(None)
    lane = Lane("hook", driver, "webhook", Terms(1), Written(), Client(), sent.append)
    lane.put(Parcel(str(number), "token", time.monotonic() + 60, message()) for number in range(3))
    async with asyncio.timeout(10):
        while lane.busy:
            await asyncio.sleep(0.01)
    assert [outcome.sent for outcome in sent] == [False]
    assert [parcel.delivery_id for parcel in lane.left()] == ["1", "2"]
    lane.put([Parcel("3", "token", time.monotonic() + 60, message())])
    assert not lane.busy
    assert [parcel.delivery_id for parcel in lane.drop()] == ["3"]
