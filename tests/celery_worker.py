"""``celery -A tocsin worker`` as a process, beside a ``tocsin web``."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.machines import Machines

ROOT = Path(__file__).parents[1]


class CeleryWorker:
    """One worker with its pool, in a process group of its own."""

    def __init__(self, tocsin: Machines, log: Path) -> None:
        self._environment, self._log = {**tocsin.environment, "LOG_LEVEL": "INFO"}, log
        self.alive = log.with_suffix(".alive")
        self._environment["TOCSIN_CELERY_ALIVE"] = str(self.alive)
        self.start()

    def start(self) -> None:
        celery = str(Path(sys.executable).with_name("celery"))
        command = [celery, "--app", "tocsin", "worker", "--concurrency", "1"]
        with self._log.open("a") as log:
            self.process: subprocess.Popen[Any] = subprocess.Popen(
                [*command, "--without-gossip", "--without-mingle"],
                env=self._environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def ready(self) -> bool:
        return " ready." in self.said

    @property
    def said(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        """kill -9 the whole of it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; return its exit code."""
        self.process.terminate()
        return self.process.wait(20)


@contextmanager
def celery_workers(tocsin: Machines, folder: Path, count: int) -> Iterator[list[CeleryWorker]]:
    """So many, from when they are ready."""
    tocsin.run("migrate", "-v0")
    workers = [CeleryWorker(tocsin, folder / f"celery-{number}.log") for number in range(count)]
    try:
        tocsin.wait(lambda: all(worker.ready for worker in workers), "the Celery workers", 60)
        yield workers
    finally:
        for worker in workers:
            if worker.process.poll() is None:
                worker.kill()
