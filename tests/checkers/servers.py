"""Real Redis and dnsmasq, each on a port of its own; gone at the end of the block."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.installed import require
from tests.processes import free_port


@contextmanager
def running(command: list[str], listens: Callable[[], bool]) -> Iterator[None]:
    """A server from when it listens to the end of the block."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not listens():
            assert server.poll() is None and time.monotonic() < deadline, f"{command[0]} did not start"
            time.sleep(0.02)
        yield
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait(20)


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def redis(folder: object, *options: str) -> Iterator[int]:
    """Redis that keeps nothing unless told to; gives its port."""
    port = free_port()
    given = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *options]
    with running([require("redis-server"), *given], lambda: listens(port)):
        yield port


@contextmanager
def dnsmasq(*records: str) -> Iterator[int]:
    """dnsmasq that knows these records and asks nobody else; gives its port."""
    port = free_port()
    command = [
        require("dnsmasq", "/usr/sbin/dnsmasq"), "--no-daemon", "--conf-file=/dev/null", "--no-resolv",
        "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1", f"--port={port}", "--pid-file=",
        "--user=root", *records,
    ]  # fmt: skip
    with running(command, lambda: listens(port)):
        yield port
