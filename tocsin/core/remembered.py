"""Answers remembered for a while: who asks again gets the same, and who asks meanwhile waits for the same."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """At most so many answers, of which the oldest go first. What was raised is not remembered."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[str, tuple[datetime, T]] = {}
        self._asked: dict[str, asyncio.Task[T]] = {}

    async def get(
        self, key: str, ask: Callable[[], Coroutine[Any, Any, T]], seconds: float, now: datetime
    ) -> T:
        """The answer known by this key, where it is younger than ``seconds``; else what ``ask`` brings, of
        which one at a time is under way. Who waits may give up without harm to the others."""
        kept = self._kept.get(key)
        if kept is not None and timedelta(0) <= now - kept[0] < timedelta(seconds=seconds):
            return kept[1]
        asked = self._asked.get(key)
        if asked is None or asked.get_loop() is not asyncio.get_running_loop():
            asked = self._asked[key] = asyncio.create_task(ask())
            asked.add_done_callback(partial(self._over, key, now))
        return await asyncio.shield(asked)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()

    def _over(self, key: str, at: datetime, asked: "asyncio.Task[T]") -> None:
        if self._asked.get(key) is asked:
            del self._asked[key]
        if asked.cancelled() or asked.exception() is not None:
            return
        self._kept.pop(key, None)  # so that it is the youngest
        self._kept[key] = at, asked.result()
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
