"""How a child learns that its supervisor died: a pipe that only the supervisor holds open."""

import asyncio
import os


class Lifeline:
    """The child's end, from the descriptor in ``TOCSIN_LIFELINE``."""

    def __init__(self) -> None:
        number = os.environ.get("TOCSIN_LIFELINE", "")
        self._pipe = int(number) if number else None

    async def cut(self) -> None:
        """Return once the supervisor is gone; never where there is none."""
        if self._pipe is None:
            await asyncio.Event().wait()
            return
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pipe, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(self._pipe)
