"""Slow nodes beside the turns: asked side by side, each within its time; their runs then walk on."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from tocsin.core import clock, log
from tocsin.core.errors import Rejected, TocsinError
from tocsin.core.http import Client
from tocsin.orchestration.engine import Errand
from tocsin.orchestration.graph import Step
from tocsin.orchestration.nodes import Brought, SlowNode, Walk

logger = log.get(__name__)

AT_ONCE: Final = 50


class Errands:
    """Those of one worker. ``done`` is called with each walk whose errand is over."""

    def __init__(self, http: Client, done: Callable[[Walk], None]) -> None:
        self._http, self._done = http, done
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking: set[asyncio.Task[None] | None] = set()

    @property
    def busy(self) -> bool:
        """Whether some are about."""
        return bool(self._tasks)

    def begin(self, errands: Iterable[Errand]) -> None:
        """Send them off."""
        for errand in errands:
            task = asyncio.create_task(self._run(errand))
            self._tasks.add(task)
            task.add_done_callback(self._over)

    def drop_waiting(self) -> None:
        """Give up those that nobody was asked about yet."""
        for task in self._tasks - self._asking:
            task.cancel()

    def drop(self) -> None:
        """Give up those that are about; their runs fall due when their leases end."""
        for task in self._tasks:
            task.cancel()

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._asking.discard(task)

    async def _run(self, errand: Errand) -> None:
        async with self._room:
            self._asking.add(asyncio.current_task())
            brought = await asyncio.gather(*(self._ask(errand.walk, step) for step in errand.steps))
        errand.walk.brought = {step.spec.id: one for step, one in zip(errand.steps, brought, strict=True)}
        self._done(errand.walk)

    async def _ask(self, walk: Walk, step: Step) -> Brought:
        began, loop = clock.now(), asyncio.get_running_loop()
        start, seconds, name = loop.time(), step.spec.timeout, step.spec.id
        outcome, error, permanent = None, "", False
        assert isinstance(step.node, SlowNode)
        try:
            async with asyncio.timeout(seconds):
                outcome = await step.node.perform(walk, self._http, began, name, seconds)
        except TimeoutError:
            error = f"it took longer than {seconds:g} s"
        except Exception as raised:  # noqa: BLE001 - a node may be anybody's; its error is recorded with the run
            permanent = isinstance(raised, Rejected)
            error = str(raised) if isinstance(raised, TocsinError) else f"{type(raised).__name__}: {raised}"
        return Brought(outcome, error, permanent, began, (loop.time() - start) * 1000)
