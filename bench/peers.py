"""The systems under measurement, each in an instance of its own, with a sink of its own."""

import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

import psutil

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Sink:
    """A counting receiver in a process of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process = subprocess.Popen([sys.executable, "-m", "bench.sink", str(self.port)])
        _wait_for(self.port, self.process)

    def seen(self) -> tuple[int, int, float]:
        """Requests, alerts in them, and when the last came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/")
        requests, alerts, last = connection.getresponse().read().split()
        connection.close()
        return int(requests), int(alerts), float(last)

    def wait_for(self, alerts: int, seconds: float) -> float:
        """When the last of so many alerts arrived. Raises TimeoutError, which says how many did."""
        deadline = time.time() + seconds
        while time.time() < deadline:
            _, count, last = self.seen()
            if count >= alerts:
                return last
            time.sleep(0.02)
        raise TimeoutError(f"{self.seen()[1]} of {alerts} alerts reached the receiver in {seconds:.0f} s")


class Peer(ABC):
    """One running system: where to post, what it keeps, how much memory it takes."""

    name = ""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
        self.port = free_port()
        self.sink = Sink()
        self.process = self._start()
        _wait_for(self.port, self.process)
        time.sleep(1.5)

    @abstractmethod
    def _start(self) -> subprocess.Popen[bytes]:
        """Start it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)
        self.sink.process.kill()
        self.sink.process.wait()
        shutil.rmtree(self.folder)

    @abstractmethod
    def stored(self) -> int:
        """How many alerts it has."""

    def memory_mb(self) -> float:
        """Resident memory of its whole process tree."""
        root = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in [root, *root.children(recursive=True)]) / 1e6


class Tocsin(Peer):
    """``tocsin up`` as users run it: supervisor, web, worker, SQLite with fsync, one webhook channel."""

    name = "Tocsin"

    def _start(self) -> subprocess.Popen[bytes]:
        self.environment = {
            **os.environ,
            "TOCSIN_DATA_DIR": str(self.folder),
            "TOCSIN_PORT": str(self.port),
            "TOCSIN_OUTBOUND_ALLOW": "127.0.0.0/8",
            "LOG_LEVEL": "WARNING",
            **self.settings(),
        }
        url = f"url=http://127.0.0.1:{self.sink.port}/hook"
        self.run("migrate", "--verbosity", "0")
        self.run("channel", "add", "sink", "--driver", "webhook", "--set", url)
        command = [sys.executable, "-m", "tocsin", "up"]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL)

    def settings(self) -> dict[str, str]:
        """What it is started with besides."""
        return {}

    def run(self, *arguments: str) -> None:
        """Run one command of this instance."""
        command = [sys.executable, "-m", "tocsin", *arguments]
        subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def count(self, query: str) -> int:
        """The one number a query gives."""
        database = sqlite3.connect(f"file:{self.folder / 'tocsin.sqlite3'}?mode=ro", uri=True)
        number: int = database.execute(query).fetchone()[0]
        database.close()
        return number

    def stored(self) -> int:
        return self.count("SELECT COUNT(*) FROM alerts_alert")


class Alertmanager(Peer):
    """Alertmanager, grouping by the same labels, notifying at once, clustering off."""

    name = "Alertmanager"

    def _start(self) -> subprocess.Popen[bytes]:
        config = {
            "route": {
                "receiver": "sink",
                "group_by": ["alertname", "instance"],
                "group_wait": "1ms",
                "group_interval": "1s",
                "repeat_interval": "1h",
            },
            "receivers": [
                {
                    "name": "sink",
                    "webhook_configs": [{"url": f"http://127.0.0.1:{self.sink.port}/hook"}],
                }
            ],
        }
        (self.folder / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML
        assert ALERTMANAGER is not None
        return subprocess.Popen(
            [
                ALERTMANAGER,
                f"--config.file={self.folder / 'alertmanager.yml'}",
                f"--storage.path={self.folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--cluster.listen-address=",
                "--log.level=error",
            ],
            stderr=subprocess.DEVNULL,
        )

    def stored(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/api/v2/alerts")
        found = json.loads(connection.getresponse().read())
        connection.close()
        return len(found)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")
