"""The live feed: told of each change at once, and gone when nobody listens."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import AsyncClient

from tests.web import rows
from tests.world import World
from tocsin.alerts.models import Incident
from tocsin.web import live
from tocsin.web.live import Feed, token

SECONDS = 10
T = TypeVar("T")


class Board:
    """What a feed reads; ``fail`` makes the next look go wrong."""

    def __init__(self) -> None:
        self.token = "a"
        self.looks = 0
        self.fail = False

    def read(self) -> str:
        self.looks += 1
        if self.fail:
            self.fail = False
            raise InterfaceError("connection already closed")
        return self.token


async def told(listener: AsyncIterator[T]) -> T:
    return await asyncio.wait_for(anext(listener), SECONDS)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.01)


async def test_each_change_is_told_once() -> None:
    board = Board()
    listener = Feed(board.read).follow("")
    assert await told(listener) == "a"
    board.token = "b"
    assert await told(listener) == "b"
    board.token = "c"
    assert await told(listener) == "c"


async def test_what_the_page_has_seen_is_not_told() -> None:
    board = Board()
    listener = Feed(board.read).follow("a")
    waiting = asyncio.create_task(told(listener))
    while board.looks < 3:
        await asyncio.sleep(0)
    assert not waiting.done()
    board.token = "b"
    assert await waiting == "b"


async def test_one_look_serves_all_who_listen() -> None:
    board = Board()
    feed = Feed(board.read)
    listeners = [feed.follow("") for _ in range(50)]
    assert await asyncio.gather(*map(told, listeners)) == ["a"] * 50
    board.token = "b"
    looks = board.looks
    assert await asyncio.gather(*map(told, listeners)) == ["b"] * 50
    assert board.looks < looks + 10


async def test_nobody_listens_nobody_looks() -> None:
    board = Board()
    feed = Feed(board.read)
    first, second = feed.follow(""), feed.follow("")
    await told(first)
    await told(second)
    await first.aclose()
    assert feed._poller is not None
    poller = feed._poller
    await second.aclose()
    assert feed._poller is None
    await asyncio.wait([poller], timeout=SECONDS)
    assert poller.cancelled()
    board.token = "b"
    assert await told(feed.follow("a")) == "b", "who comes later is served again"


async def test_its_connection_ends_with_it(bob: User) -> None:
    opened: list[BaseDatabaseWrapper] = []

    def read() -> str:
        opened.append(connections["default"])
        return token()

    feed = Feed(read)
    listener = feed.follow("")
    await told(listener)
    assert opened[0].connection is not None
    assert feed._poller is not None
    poller = feed._poller
    await listener.aclose()
    await asyncio.wait([poller], timeout=SECONDS)
    assert opened[0].connection is None


async def test_the_end_of_the_process_lets_listeners_go() -> None:
    feed = Feed(Board().read)
    listener = feed.follow("a")
    waiting = asyncio.create_task(told(listener))
    await asyncio.sleep(0)
    feed.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_a_database_that_is_away_for_a_while() -> None:
    board = Board()
    listener = Feed(board.read).follow("")
    assert await told(listener) == "a"
    board.fail, board.token = True, "b"
    assert await told(listener) == "b"


async def test_a_heartbeat_keeps_proxies_from_hanging_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.02)
    listener = Feed(Board().read).follow("a")
    assert [await told(listener) for _ in range(2)] == ["", ""]


def test_the_token_differs_after_each_change(world: World) -> None:
    seen = [token()]
    world.fire()
    world.work()
    seen.append(token())
    world.forward(seconds=5)
    Incident.objects.update(status="acknowledged", updated_at=world.now)
    seen.append(token())
    world.forward(seconds=5)
    world.resolve()
    world.work()
    seen.append(token())
    assert len(set(seen)) == 4
    assert token() == seen[-1]


@pytest.fixture
async def bob(transactional_db: None) -> AsyncIterator[User]:
    yield await get_user_model().objects.acreate_user("bob")
    await sync_to_async(connections.close_all)()  # those of the thread that Django's async views ask in


async def test_as_events(bob: User) -> None:
    browser = AsyncClient()
    await browser.aforce_login(bob)
    answer = await browser.get("/live/?since=old")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    events = aiter(answer.streaming_content)
    assert await told(events) == b": listening\n\n"
    assert (await told(events)).startswith(b"event: changed\ndata: 0.000000-0\n\n")
    await Incident.objects.acreate(
        title="x", severity="info", trace_id="t", opened_at=rows.NOW, updated_at=rows.NOW
    )
    assert f"data: {rows.NOW.timestamp():.6f}-0".encode() in await told(events)
    waiting = asyncio.create_task(told(events))
    await asyncio.sleep(0)
    waiting.cancel()  # as the server does when the browser hangs up
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert live.feed._poller is None


async def test_only_who_is_signed_in_listens(bob: User) -> None:
    answer = await AsyncClient().get("/live/?since=x")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in/?next=/live/%3Fsince%3Dx")
