"""``tocsin up``: one process that prepares the database, starts a web and a worker process (and one
that listens, where a way in besides HTTP is set, and one for Slack's Socket Mode), and starts again whichever
dies.

It stays small: Django is loaded by its children alone. Children hold a pipe to it; should it be
killed, they see the pipe close and end by themselves.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tocsin.core import config, presence
from tocsin.core.errors import Unavailable

FIRST_BACKOFF, LONGEST_BACKOFF, STEADY_SECONDS = 0.2, 30.0, 20.0
STOP_SECONDS: Final = 4.5
_COMMAND: Final = (sys.executable, "-m", "tocsin")


@dataclass
class Child:
    """One process to keep alive."""

    name: str
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    failures: int = 0
    start_at: float = 0

    def start(self, lifeline: int) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [*_COMMAND, self.name],
            env={**os.environ, "TOCSIN_LIFELINE": str(lifeline)},
            pass_fds=[lifeline],
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which ends them in order
        )
        self.started_at = time.monotonic()

    def ended(self) -> int | None:
        """Its exit code once it has ended; None while it runs or waits to be started."""
        return None if self.process is None else self.process.poll()

    def wait_before_restart(self) -> float:
        """Seconds until it is started again: nothing the first time, then doubling."""
        if time.monotonic() - self.started_at > STEADY_SECONDS:
            self.failures = 0
        delay = 0.0
        if self.failures:
            delay = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**self.failures) * random.uniform(0.5, 1)
        self.failures += 1
        self.process = None
        self.start_at = time.monotonic() + delay
        return delay


class Supervisor:
    """Keeps children alive until it is told to stop; says ``greeting`` once the web process answers."""

    def __init__(self, children: list[Child], greeting: str) -> None:
        self._children = children
        self._greeting = greeting
        self._stopping = False
        self._lifeline, self._held_end = os.pipe()  # children wait on the first; only we hold the second
        os.set_inheritable(self._lifeline, True)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            for child in self._children:
                self._look_after(child)
            if self._greeting and _listened_on():
                print(self._greeting, flush=True)
                self._greeting = ""
            time.sleep(0.05)
        return self._end()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _look_after(self, child: Child) -> None:
        code = child.ended()
        if code is not None and child.process is not None:
            _forget_metrics(child.process.pid)
            delay = child.wait_before_restart()
            _say(f"{child.name} ended ({_cause(code)}); starting it again in {delay:.1f} s")
        if child.process is None and time.monotonic() >= child.start_at:
            child.start(self._lifeline)

    def _end(self) -> int:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
        return 0


def _listened_on() -> bool:
    """Whether somebody listens where the web process should."""
    host = config.text("TOCSIN_HOST")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        with socket.create_connection((host, config.number("TOCSIN_PORT")), timeout=0.2):
            return True
    except OSError:
        return False


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _say(text: str) -> None:
    print(f"tocsin: {text}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run ``tocsin up``."""
    parser = argparse.ArgumentParser(prog="tocsin up", description="Run everything on this machine.")
    parser.add_argument("--host", help="address to listen on (TOCSIN_HOST, 127.0.0.1)")
    parser.add_argument("--port", help="port to listen on (TOCSIN_PORT, 8420)")
    parser.add_argument(
        "--demo", action="store_true", help="fill it with believable data and a local receiver"
    )
    options = parser.parse_args(arguments)
    config.load_env_file()
    for name, value in (("TOCSIN_HOST", options.host), ("TOCSIN_PORT", options.port)):
        if value:
            os.environ[name] = value
    children = [Child("web"), Child("worker")]
    if config.text("MQTT_URL") or config.text("TOCSIN_SMTP_LISTEN"):
        children.append(Child("listen"))
    if config.text("SLACK_APP_TOKEN"):
        children.append(Child("chat"))
    if options.demo:
        children.append(Child("demo"))
        allowed = ",".join(filter(None, (config.text("TOCSIN_OUTBOUND_ALLOW"), "127.0.0.0/8")))
        os.environ["TOCSIN_OUTBOUND_ALLOW"] = allowed
        os.environ["TOCSIN_TLS_CERTIFICATE"] = ""  # its own sender speaks to this machine alone
    try:
        presence.share()
    except Unavailable as error:
        _say(str(error))
        return 1
    if _listened_on():
        _say(f"port {config.text('TOCSIN_PORT')} is taken; stop what runs there, or choose another: --port")
        return 1
    _fresh_metrics()
    prepared = subprocess.run([*_COMMAND, "prepare"], check=False, stdout=subprocess.PIPE, text=True)
    if prepared.returncode:
        return prepared.returncode
    return Supervisor(children, greeting=prepared.stdout).run()


def _forget_metrics(pid: int) -> None:
    """A dead process' gauges no longer count; its counters do."""
    for file in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob(f"gauge_live*_{pid}.db"):
        file.unlink()


def _fresh_metrics() -> None:
    """Metrics are shared between the processes through files that belong to one start.

    In memory where the system offers that: the files are mapped, and a full disk under a mapped file
    kills the process that writes to it.
    """
    kept = config.data_dir().resolve()
    name = f"tocsin-{os.getuid()}-{hashlib.sha256(bytes(kept)).hexdigest()[:16]}"
    for folder in (Path("/dev/shm", name), kept / "metrics"):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(mode=0o700)
        except OSError:  # no such place, or somebody else has taken the name
            continue
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        return
