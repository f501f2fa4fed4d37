"""Real PostgreSQL and MariaDB servers, each with an empty database, in a folder of their own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.installed import require
from tests.processes import free_port


class Server:
    """A database server that runs: where it is, and a way to crash it."""

    def __init__(self, command: list[str], port: int, crash_by: signal.Signals) -> None:
        self.url = ""
        self._command, self._port, self._crash_by = command, port, crash_by
        self._start()

    def crash(self) -> None:
        """Kill it with all its connections, and start it again on what it left on disk."""
        self._running.send_signal(self._crash_by)
        self._running.wait(30)
        self._start()

    def end(self, by: signal.Signals) -> None:
        """Stop it for good."""
        self._running.send_signal(by)
        self._running.wait(30)

    def _start(self) -> None:
        self._running = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", self._port)) == 0:
                    break
            ended = self._running.poll() is not None
            assert not ended and time.monotonic() < deadline, f"{self._command[0]} did not start"
            time.sleep(0.05)
        time.sleep(0.3)


@contextmanager
def postgres(durable: bool = True) -> Iterator[str]:
    """A PostgreSQL server; gives its DATABASE_URL."""
    with postgres_server(durable) as server:
        yield server.url


@contextmanager
def postgres_server(durable: bool = True) -> Iterator[Server]:
    """A PostgreSQL server. fsync stays on, as users run it, unless all that counts is what it answers."""
    initdb = require("/usr/lib/postgresql/*/bin/initdb", "initdb")
    with _folder("postgres") as (folder, as_user):
        port = free_port()
        data = str(folder / "data")
        _run([*as_user, initdb, "-D", data, "-U", "tocsin", "--auth=trust", "-E", "UTF8"])
        server = str(Path(initdb).with_name("postgres"))
        command = [*as_user, server, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
        if not durable:
            command += ["-c", "fsync=off", "-c", "full_page_writes=off"]
        with _server(command, port, signal.SIGINT, crash_by=signal.SIGQUIT) as running:
            _run(
                [
                    str(Path(initdb).with_name("createdb")),
                    "-h",
                    "127.0.0.1",
                    "-p",
                    str(port),
                    "-U",
                    "tocsin",
                    "tocsin",
                ]
            )
            running.url = f"postgres://tocsin@127.0.0.1:{port}/tocsin"
            yield running


@contextmanager
def mariadb(durable: bool = True) -> Iterator[str]:
    """A MariaDB server; gives its DATABASE_URL."""
    with mariadb_server(durable) as server:
        yield server.url


@contextmanager
def mariadb_server(durable: bool = True) -> Iterator[Server]:
    """A MariaDB server. Without ``durable`` it does not wait for the disk."""
    install, server = require("mariadb-install-db"), require("mariadbd", "/usr/sbin/mariadbd")
    with _folder("mysql") as (folder, _):
        port, data = free_port(), str(folder / "data")
        user = [] if os.geteuid() else ["--user=mysql"]
        _run(
            [install, "--no-defaults", *user, f"--datadir={data}", "--auth-root-authentication-method=normal"]
        )
        command = [server, "--no-defaults", *user, f"--datadir={data}", f"--port={port}",
                   "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"]  # fmt: skip
        if not durable:
            command += [
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-doublewrite=0",
                "--innodb-flush-method=nosync",
            ]
        with _server(command, port, signal.SIGTERM, crash_by=signal.SIGKILL) as running:
            client = require("mariadb")
            _run(
                [
                    client,
                    "--no-defaults",
                    "-h127.0.0.1",
                    f"-P{port}",
                    "-uroot",
                    "-e",
                    "CREATE DATABASE tocsin CHARACTER SET utf8mb4",
                ]
            )
            running.url = f"mysql://root@127.0.0.1:{port}/tocsin"
            yield running


@contextmanager
def _folder(user: str) -> Iterator[tuple[Path, list[str]]]:
    """A folder, and what to put before a command so that it runs as a user of its own: database
    servers refuse to run as root."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-db-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        found = pwd.getpwnam(user)
        os.chown(folder, found.pw_uid, found.pw_gid)
        as_user = ["setpriv", f"--reuid={user}", f"--regid={found.pw_gid}", "--clear-groups"]
    try:
        yield folder, as_user
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(command: list[str], port: int, end: signal.Signals, crash_by: signal.Signals) -> Iterator[Server]:
    running = Server(command, port, crash_by)
    try:
        yield running
    finally:
        running.end(end)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
