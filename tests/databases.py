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


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL server; gives its DATABASE_URL. fsync stays on, as users run it."""
    initdb = require("/usr/lib/postgresql/*/bin/initdb", "initdb")
    with _folder("postgres") as (folder, as_user):
        port = free_port()
        data = str(folder / "data")
        _run([*as_user, initdb, "-D", data, "-U", "tocsin", "--auth=trust", "-E", "UTF8"])
        server = str(Path(initdb).with_name("postgres"))
        command = [*as_user, server, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
        with _server(command, port, signal.SIGINT):
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
            yield f"postgres://tocsin@127.0.0.1:{port}/tocsin"


@contextmanager
def mariadb() -> Iterator[str]:
    """A MariaDB server; gives its DATABASE_URL."""
    install, server = require("mariadb-install-db"), require("mariadbd", "/usr/sbin/mariadbd")
    with _folder("mysql") as (folder, _):
        port, data = free_port(), str(folder / "data")
        user = [] if os.geteuid() else ["--user=mysql"]
        _run(
            [install, "--no-defaults", *user, f"--datadir={data}", "--auth-root-authentication-method=normal"]
        )
        command = [server, "--no-defaults", *user, f"--datadir={data}", f"--port={port}",
                   "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"]  # fmt: skip
        with _server(command, port, signal.SIGTERM):
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
            yield f"mysql://root@127.0.0.1:{port}/tocsin"


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
def _server(command: list[str], port: int, end: signal.Signals) -> Iterator[None]:
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert running.poll() is None and time.monotonic() < deadline, f"{command[0]} did not start"
            time.sleep(0.05)
        time.sleep(0.3)
        yield
    finally:
        running.send_signal(end)
        running.wait(30)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
