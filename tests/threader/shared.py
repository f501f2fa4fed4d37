"""A Redis that instances share: it keeps all that it answered, and can be away for a while."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.checkers.servers import listens
from tests.fakes.slack import Slack
from tests.installed import require
from tests.processes import free_port
from tests.threader.instances import Instance, by_bot


class Redis:
    """One on a port that it comes back to."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        own = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "always"]
        self._command = [require("redis-server"), *own, *durable]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while not listens(self.port):
            assert self._process.poll() is None and time.monotonic() < until
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()


@contextmanager
def shared(folder: Path) -> Iterator[Redis]:
    """A Redis, gone at the end."""
    redis = Redis(folder)
    try:
        yield redis
    finally:
        redis.kill()


@contextmanager
def instances(
    count: int, redis: Redis, slack: Slack, folder: Path, **settings: str
) -> Iterator[list[Instance]]:
    """So many that listen, each on a machine of its own."""
    told = {**by_bot(slack), "REDIS_URL": redis.url, **settings}
    with ExitStack() as running:
        made = [Instance(folder / f"instance-{number}", told) for number in range(count)]
        for each in made:
            each.start()
        for each in made:
            running.callback(each.__exit__)
            each.wait(lambda each=each: each.get("/health")[0] == 200, "it to listen", 30)
        yield made
