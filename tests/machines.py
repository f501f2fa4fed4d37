"""One Tocsin on several machines: ``tocsin web`` and ``tocsin worker`` as processes with data directories of
their own, on one database."""

import contextlib
import itertools
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import pymysql
from dj_database_url import parse

from tests.processes import Tocsin, free_port


class Machine:
    """One process, on a machine that keeps its data directory when the process dies."""

    def __init__(self, command: str, environment: dict[str, str], data: str = "") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=f"tocsin-{command}-")
        self._command = [sys.executable, "-m", "tocsin", command]
        self._log = Path(self._folder.name, "said")
        self.data = Path(data or self._folder.name)
        self.starts = 0
        self.environment = {**environment, "TOCSIN_DATA_DIR": str(self.data)}
        self.start()

    def start(self) -> None:
        self.starts += 1
        with self._log.open("a") as log:
            self._process = subprocess.Popen(self._command, env=self.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """kill -9, and start again, as systemd would."""
        self._process.kill()
        self._process.wait()
        self.start()

    def restart(self, **environment: str) -> int:
        """SIGTERM, and start again, as who upgrades would; how it ended."""
        self._process.terminate()
        code = self.wait()
        self.environment |= environment
        self.start()
        return code

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    @property
    def said(self) -> str:
        return self._log.read_text()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(60)

    def end(self) -> None:
        self.thaw()
        self._process.terminate()

    def remove(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(8)
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


class Machines(Tocsin):
    """So many web and worker machines. Posts go to the web machines in turn."""

    def __init__(self, url: str, webs: int = 1, workers: int = 2, **environment: str) -> None:
        shared = {"TOCSIN_SECRET_KEYS": "k", "DJANGO_SECRET_KEY": "k", "TOCSIN_LOG_MAX_BYTES": "0"}
        super().__init__(DATABASE_URL=url, **shared, **environment)
        self._workers_wanted = workers
        self._ports = [self.port, *(free_port() for _ in range(webs - 1))]
        self._turn = itertools.cycle(f"http://127.0.0.1:{port}" for port in self._ports)
        self._data = ""
        self.webs: list[Machine] = []
        self.workers: list[Machine] = []

    def __enter__(self) -> Self:
        return self

    def add_webhook(self, url: str) -> None:
        self.run("migrate", "--verbosity", "0")
        super().add_webhook(url)

    def share(self, data: str) -> None:
        """Let all of them be one machine: with one data directory."""
        self._data = data

    def start(self) -> None:
        self.start_webs()
        self.start_workers()

    def start_webs(self) -> None:
        for port in self._ports:
            own = {**self.environment, "TOCSIN_PORT": str(port)}
            self.webs.append(Machine("web", own, self._data))
        self.wait(lambda: all(self.post([]) == 200 for _ in self.webs), "the doors to open", 60)

    def start_workers(self) -> None:
        for _ in range(self._workers_wanted):
            self.workers.append(Machine("worker", self.environment, self._data))
        self.wait(lambda: all(any(w.data.glob("worker.bell")) for w in self.workers), "the workers", 60)

    def post(self, payload: Any, path: str = "/api/v2/alerts", timeout: float = 10) -> int:
        self.url = next(self._turn)
        return super().post(payload, path, timeout)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        if self.environment["DATABASE_URL"].startswith("postgres"):
            return super().query(sql)
        at = parse(self.environment["DATABASE_URL"])
        with pymysql.connect(
            host=at["HOST"], port=int(at["PORT"]), user=at["USER"], database=at["NAME"]
        ) as server, server.cursor() as cursor:  # fmt: skip
            cursor.execute(sql)
            return list(cursor.fetchall())

    def wait(self, condition: Any, what: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            said = "\n".join(machine.said[-3000:] for machine in (*self.webs, *self.workers))
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}; they said:\n{said}"
            time.sleep(0.02)

    def stop(self) -> float:
        for machine in (*self.webs, *self.workers):
            machine.end()
        for machine in (*self.webs, *self.workers):
            machine.remove()
        return 0
