"""Both stores keep to the same promises: order, leases that are fenced, bounds."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.checkers.servers import redis
from tocsin.core.errors import Misconfigured, Unavailable
from tocsin.threader import redis_store, sqlite_store
from tocsin.threader.redis_store import RedisStore
from tocsin.threader.sqlite_store import SqliteStore
from tocsin.threader.store import BaseStore, Claim, Depth

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with redis(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.real)])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BaseStore]:
    made: BaseStore = SqliteStore(tmp_path, "place")
    if request.param == "redis":
        made = RedisStore(f"redis://127.0.0.1:{request.getfixturevalue('server')}", tmp_path.name)
    for module in (redis_store, sqlite_store):
        monkeypatch.setattr(module, "LEASE_SECONDS", 0.2)
        monkeypatch.setattr(module, "MOST_WAITING", 5)
        monkeypatch.setattr(module, "MOST_BYTES", 100)
    await made.open()
    yield made
    await made.close()


async def claimed(store: BaseStore) -> Claim:
    """The next group, once it is due."""
    async with asyncio.timeout(10):
        while not isinstance(found := await store.claim(), Claim):
            await asyncio.sleep(min(found, 0.05))
        return found


async def test_what_is_kept_comes_in_order_with_what_was_told_before(store: BaseStore) -> None:
    assert not isinstance(await store.claim(), Claim)
    for webhook in (b"1", b"2", b"3"):
        await store.put("a", webhook)
    claim = await claimed(store)
    assert (claim.group, claim.thread, claim.waiting, claim.attempts) == ("a", b"", [b"1", b"2", b"3"], 0)
    assert await store.finish(claim, 2, b"thread", DAY)
    claim = await claimed(store)
    assert (claim.thread, claim.waiting) == (b"thread", [b"3"])
    assert await store.finish(claim, 1, b"", DAY)
    assert await store.depth() == Depth(0, 0)
    await store.put("a", b"4")
    claim = await claimed(store)
    assert (claim.thread, claim.waiting) == (b"thread", [b"4"]), "nothing new leaves it as it was"


async def test_a_group_has_one_holder(store: BaseStore) -> None:
    await store.put("a", b"1")
    await store.put("b", b"1")
    first, second = await claimed(store), await claimed(store)
    assert {first.group, second.group} == {"a", "b"}
    await store.put("a", b"2")
    assert not isinstance(await store.claim(), Claim)
    assert await store.extend(first)


async def test_a_lease_that_ran_out_is_anybodys_and_its_old_holder_writes_nothing(store: BaseStore) -> None:
    await store.put("a", b"1")
    old = await claimed(store)
    new = await claimed(store)
    assert (new.group, new.waiting, new.attempts) == ("a", [b"1"], 0)
    assert not await store.extend(old)
    assert not await store.finish(old, 1, b"old", DAY)
    await store.retry(old, 600)
    assert await store.finish(new, 1, b"new", DAY)
    await store.put("a", b"2")
    assert (await claimed(store)).thread == b"new"


async def test_what_is_tried_again_counts(store: BaseStore) -> None:
    await store.put("a", b"1")
    await store.retry(await claimed(store), 0.01)
    claim = await claimed(store)
    assert claim.attempts == 1
    await store.finish(claim, 1, b"thread", DAY)
    await store.put("a", b"2")
    assert (await claimed(store)).attempts == 0


async def test_a_pause_holds_for_all_and_is_remembered(store: BaseStore) -> None:
    await store.put("a", b"1")
    await store.pause(0.2)
    assert not isinstance(await store.claim(), Claim)
    claim = await claimed(store)
    assert claim.limited


async def test_more_than_may_wait_is_refused(store: BaseStore) -> None:
    for number in range(5):
        await store.put(f"group {number}", b"1")
    with pytest.raises(Unavailable) as refused:
        await store.put("a", b"1")
    assert refused.value.retry_after
    await store.finish(await claimed(store), 1, b"", DAY)
    await store.put("a", b"x" * 200)
    await store.finish(await claimed(store), 1, b"", DAY)
    with pytest.raises(Unavailable):
        await store.put("b", b"1")
    while (await store.depth()).groups:
        await store.finish(await claimed(store), 1, b"", DAY)
    await store.put("b", b"1")


async def test_a_file_that_somebody_else_has_is_told(tmp_path: Path) -> None:
    first, second = SqliteStore(tmp_path, "place"), SqliteStore(tmp_path, "place")
    await first.open()
    with pytest.raises(Misconfigured, match="REDIS_URL"):
        await second.open()
    await first.close()


async def test_a_full_disk_is_no_answer(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, "place")
    await store.open()

    def fill() -> None:
        [pages] = store._base.execute("PRAGMA page_count").fetchone()
        store._base.execute(f"PRAGMA max_page_count = {pages}")

    await store._do(fill)
    with pytest.raises(Unavailable, match="full"):
        for _ in range(50):
            await store.put("a", b"x" * 5_000)
    waiting = (await store.depth()).webhooks
    assert (store._waiting, store._size) == (waiting, waiting * 5_000)
    await store.close()
