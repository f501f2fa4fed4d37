"""The real thing as processes: ``tocsin up`` with a data directory and a port of its own."""

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

import msgspec
import psutil
import psycopg


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Tocsin:
    """One installation. Use it in a ``with``; ``environment`` adds to what it is started with."""

    def __init__(self, **environment: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tocsin-process-")
        self.data_dir = Path(self._folder.name)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        clean = {n: v for n, v in os.environ.items() if n not in ("DJANGO_SETTINGS_MODULE", "DATABASE_URL")}
        self.environment = {
            **clean,
            "TOCSIN_DATA_DIR": str(self.data_dir),
            "TOCSIN_PORT": str(self.port),
            "TOCSIN_OUTBOUND_ALLOW": "127.0.0.0/8",
            "LOG_LEVEL": "WARNING",
            **environment,
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()

    def run(self, *arguments: str) -> str:
        """Run one command of this installation and return what it printed."""
        command = [sys.executable, "-m", "tocsin", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def add_webhook(self, url: str) -> None:
        """Have every message posted there."""
        self.run("channel", "add", "sink", "--driver", "webhook", "--set", f"url={url}")

    def start(self) -> None:
        """Start it and wait until it greets."""
        command = [sys.executable, "-m", "tocsin", "up"]
        self.process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        self.wait(lambda: "Sign in" in "".join(self.output), "the greeting", 60)

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as said:
            self.output.extend(said)

    def stop(self) -> float:
        """End it by SIGTERM; return how many seconds that took."""
        if self.process is None or self.process.poll() is not None:
            return 0
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - began

    @property
    def sign_in_link(self) -> str:
        """The one-time link of the last greeting."""
        links = re.findall(r"Sign in\s+(\S+)", "".join(self.output))
        assert links, self.output
        return str(links[-1])

    def child(self, name: str) -> psutil.Process | None:
        """The web or the worker process, while there is one."""
        assert self.process is not None
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self.process.pid).children():
                with contextlib.suppress(psutil.Error):
                    if process.cmdline()[-1:] == [name]:
                        return process
        return None

    def kill(self, name: str) -> None:
        """kill -9 the web process, the worker or the supervisor."""
        assert self.process is not None
        if name == "supervisor":
            self.process.kill()
            self.process.wait()
        elif victim := self.child(name):
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()

    def post(self, payload: Any, path: str = "/api/v2/alerts", timeout: float = 10) -> int:
        """POST JSON; return the HTTP status, 0 where there was no answer."""
        request = urllib.request.Request(
            self.url + path, msgspec.json.encode(payload), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                response.read()
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of its database."""
        if url := self.environment.get("DATABASE_URL"):
            with psycopg.connect(url.replace("postgres://", "postgresql://")) as server:
                return server.execute(sql.encode()).fetchall()
        database = sqlite3.connect(f"file:{self.data_dir / 'tocsin.sqlite3'}?mode=ro", uri=True, timeout=10)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def wait(self, condition: Any, what: str, seconds: float = 20) -> None:
        """Wait until something is so; fails the test, with the output, when it does not become so."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds} s for {what}; it said:\n{''.join(self.output)}")
            time.sleep(0.02)
