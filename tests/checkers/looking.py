"""Looks through checkers: here, or in namespaces of their own, where a test may arrange what it likes.

``python -m tests.checkers.looking NAME OPTIONS`` looks once for each line it reads, after the
line was run as a shell's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.installed import require
from tocsin.checkers.checks import BaseChecker, CheckResult, Options
from tocsin.checkers.running import build

ROOT = Path(__file__).parent.parent.parent

LOOPBACK_UP = (
    f"{sys.executable} -c 'import fcntl, socket, struct; "
    'fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 0x41))\''
)


def checker(name: str, **options: Any) -> BaseChecker[Options]:
    """A checker whose options come from whoever runs the tests."""
    found = build(name, options)
    found.trusted = True
    return found


def look(name: str, **options: Any) -> CheckResult:
    """Look once."""
    return checker(name, **options).check()


def program(folder: Path, name: str, script: str) -> None:
    """Put a program into a folder, for what cannot be installed here."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


class Elsewhere:
    """A checker in another process, which may see another machine."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def look(self, after: str = "") -> CheckResult:
        """Look there, after a shell there has done something."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(after, file=self._process.stdin, flush=True)
        return msgspec.json.decode(self._process.stdout.readline(), type=CheckResult)


@contextmanager
def elsewhere(command: list[str], name: str, options: dict[str, Any]) -> Iterator[Elsewhere]:
    """Start a checker by a command that ends with a shell's ``exec "$@"``, or that runs what it is given."""
    looking = [sys.executable, "-P", "-m", "tests.checkers.looking", name, json.dumps(options)]
    with subprocess.Popen(
        [*command, *looking],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            yield Elsewhere(process)
        finally:
            process.kill()


@contextmanager
def apart(arrange: str, name: str, **options: Any) -> Iterator[Elsewhere]:
    """Look where mounts and network are of its own, after a shell has arranged them."""
    kept = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = [require("unshare"), *kept, "--mount", "--net", "--"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("namespaces of one's own are not allowed here")
    shell = ["bash", "-euc", f'{arrange}\nexec "$@"', "apart"]
    with elsewhere([*command, *shell], name, options) as found:
        yield found


def main(name: str, options: str) -> None:
    """Look once for each line, and do first what it says."""
    found = checker(name, **json.loads(options))
    for line in sys.stdin:
        subprocess.run(["bash", "-euc", line], stdout=sys.stderr, check=True)
        sys.stdout.buffer.write(msgspec.json.encode(found.check()) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
