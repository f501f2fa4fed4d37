"""Answers that are remembered: young ones, one question at a time, and no failures."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.core.remembered import Remembered

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Asked:
    """Counts what is asked; answers once it is let."""

    def __init__(self) -> None:
        self.count = 0
        self.let = asyncio.Event()
        self.fails = False

    async def __call__(self) -> int:
        self.count += 1
        await self.let.wait()
        if self.fails:
            raise ValueError("no")
        return self.count


def test_an_answer_is_good_for_a_while() -> None:
    async def main() -> None:
        found, ask = Remembered[int](10), Asked()
        ask.let.set()
        for seconds, expected in ((0, 1), (59, 1), (60, 2), (-1, 3)):
            assert await found.get("a", ask, 60, NOON + timedelta(seconds=seconds)) == expected
        assert await found.get("a", ask, 0, NOON) == 4, "who wants it fresh has it fresh"
        found.clear()
        assert await found.get("a", ask, 60, NOON) == 5

    asyncio.run(main())


def test_who_asks_meanwhile_waits_for_the_same() -> None:
    async def main() -> None:
        found, ask = Remembered[int](10), Asked()
        waiting = [asyncio.create_task(found.get("a", ask, 60, NOON)) for _ in range(20)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # the one that began it
        await asyncio.sleep(0)
        ask.let.set()
        assert await asyncio.gather(*waiting[1:]) == [1] * 19

    asyncio.run(main())


def test_failures_are_not_remembered() -> None:
    async def main() -> None:
        found, ask = Remembered[int](10), Asked()
        ask.let.set()
        ask.fails = True
        for count in (1, 2):
            with pytest.raises(ValueError, match="no"):
                await found.get("a", ask, 60, NOON)
            assert ask.count == count
        ask.fails = False
        assert await found.get("a", ask, 60, NOON) == 3

    asyncio.run(main())


def test_the_oldest_go_first() -> None:
    async def main() -> None:
        found, ask = Remembered[int](2), Asked()
        ask.let.set()
        for key in ("a", "b", "c", "b"):
            await found.get(key, ask, 60, NOON)
        assert ask.count == 3
        assert await found.get("a", ask, 60, NOON) == 4

    asyncio.run(main())


def test_what_a_loop_that_is_gone_asked_is_asked_again() -> None:
    found, ask = Remembered[int](2), Asked()

    async def given_up() -> None:
        asyncio.create_task(found.get("a", ask, 60, NOON))
        await asyncio.sleep(0)

    asyncio.run(given_up())

    async def main() -> int:
        again = Asked()
        again.let.set()
        return await found.get("a", again, 60, NOON)

    assert asyncio.run(main()) == 1
