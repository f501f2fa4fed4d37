"""The whole way in: real posts to a real web process, until their alerts are on disk."""

import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Final

import psutil

from bench.load import CONNECTIONS
from bench.peers import Tocsin
from bench.recorded import Post

SECONDS: Final = 1
APART: Final = 1_000_000  # more than are posted in one round
LUA: Final = Path(__file__).parent / "lua" / "recorded.lua"


class Web(Tocsin):
    """The web process alone: no worker takes its share of the processors."""

    def _start(self) -> "subprocess.Popen[bytes]":
        self.environment = {
            **os.environ,
            "TOCSIN_DATA_DIR": str(self.folder),
            "TOCSIN_PORT": str(self.port),
            "LOG_LEVEL": "WARNING",
        }
        self.run("migrate", "--verbosity", "0")
        self.number = 10 * APART
        self.cpu: dict[str, list[float]] = defaultdict(list)  # seconds a post, of each round
        return subprocess.Popen([sys.executable, "-m", "tocsin", "web"], env=self.environment)

    def rate(self, name: str, posts: list[Post]) -> float:
        """Posts to a driver a second. Raises RuntimeError where one is refused, AssertionError where its
        alert is missing afterwards."""
        before, busy = self.stored(), self._busy()
        per_second, count = self._load(f"/alerts/webhook/{name}/", posts)
        stored = self.stored() - before
        if all(post.is_new for post in posts) and stored < count:
            raise AssertionError(f"{name}: {count} alerts were accepted and {stored} are stored")
        self.cpu[name].append((self._busy() - busy) / count)
        return per_second

    def _busy(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def _load(self, path: str, posts: list[Post]) -> tuple[float, int]:
        self.number += APART
        with tempfile.TemporaryDirectory() as folder:
            arguments = [path, str(self.number)]
            for place, post in enumerate(posts):
                file = Path(folder, str(place))
                file.write_bytes(b"\0".join(post.pieces))
                arguments += [post.kind, str(file)]
            command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s", "-s", str(LUA)]
            command += [f"http://127.0.0.1:{self.port}", "--", *arguments]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if "Non-2xx" in said:
            raise RuntimeError(f"not all posts to {path} were accepted:\n{said}")
        rate = re.search(r"Requests/sec: +([\d.]+)", said)
        count = re.search(r"(\d+) requests in", said)
        assert rate and count, said
        return float(rate[1]), int(count[1])
