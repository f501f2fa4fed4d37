"""``tocsin agent`` as a process, with a folder and a configuration of its own."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from tocsin.agent.commands import main

_OURS = re.compile(r"TOCSIN_|HUB_URL|INSTANCE_ID|CHECKERS_|WEBHOOK_SECRET|DJANGO_|DATABASE_URL")

QUICK = """
interval = 1
defaults = false

[checks.memory]
[checks.disk]
"""


class Ran(NamedTuple):
    """A command that ended."""

    returncode: int
    stdout: str
    stderr: str


class Agent:
    """One machine's agent. ``config`` is its TOML file; what it says is in ``output``."""

    def __init__(self, hub: str, folder: Path, config: str = QUICK, **environment: str) -> None:
        self.folder = folder
        self.config = folder / "agent.toml"
        self.config.write_text(config)
        self.output: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self.within: tuple[str, ...] = ()  # a command that runs it elsewhere
        self._running = threading.Event()
        clean = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
        self.environment = {
            **clean,
            "HUB_URL": hub,
            "TOCSIN_DATA_DIR": str(folder / "data"),
            "TOCSIN_AGENT_CONFIG": str(self.config),
            **environment,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def spool(self) -> Path:
        return self.folder / "data" / "agent" / "spool"

    @property
    def rounds(self) -> list[Path]:
        """The files that wait."""
        return sorted(self.spool.glob("*.round"))

    @property
    def said(self) -> str:
        return "".join(self.output)

    def run(self, *arguments: str, **environment: str) -> Ran:
        """Run one command to its end, in this process, which is quicker."""
        before, folder = dict(os.environ), Path.cwd()
        os.environ.clear()
        os.environ.update(self.environment | environment)
        os.chdir(self.folder)
        try:
            with redirect_stdout(StringIO()) as out, _standard_error() as err:
                code = main(list(arguments))
            return Ran(code, out.getvalue(), err())
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)

    def spawn(self, *arguments: str, **environment: str) -> Ran:
        """The same as a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "tocsin", *arguments],
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **environment: str) -> None:
        """Start ``tocsin agent``."""
        self.process = subprocess.Popen(
            [*self.within, sys.executable, "-m", "tocsin", "agent", *arguments],
            env={**self.environment, **environment},
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running = threading.Event()
        threading.Thread(target=self._read, args=(self.process, self._running), daemon=True).start()

    def _read(self, process: "subprocess.Popen[str]", running: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr as said:
            for line in said:
                self.output.append(line)
                if ": checks " in line:
                    running.set()

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> float:
        """SIGTERM, once it has said what it checks; return how many seconds it took to end."""
        assert self.process is not None
        assert self._running.wait(20), self.said
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.said
        return time.monotonic() - began


@contextmanager
def _standard_error() -> Iterator[Callable[[], str]]:
    """What is written to it past Python's buffers; to be asked for afterwards."""
    kept = os.dup(2)
    with tempfile.TemporaryFile("w+") as file:
        os.dup2(file.fileno(), 2)
        said: list[str] = []
        try:
            yield lambda: said[0]
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            said.append(file.read())


def payload(done: Ran) -> Mapping[str, Any]:
    """The one JSON document that a command printed."""
    found = msgspec.json.decode(done.stdout)
    assert isinstance(found, dict)
    return found
