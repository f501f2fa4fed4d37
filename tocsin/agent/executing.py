"""One command on this machine: no shell, nothing of our environment, and all of it ended with its time."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Literal

import msgspec

MOST_OUTPUT: Final = 65_536
PAUSE: Final = 0.1  # how late its end, or ours, may be seen
KILL_SECONDS: Final = 5.0
ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
}
STOPPED: Final = "the agent was stopped"
_CHUNK: Final = 65_536
_MOST_DRAINED: Final = 1 << 20  # what it left running may write for ever


class Ended(msgspec.Struct):
    """How a command ended. It is ``done`` where it ended by itself, whatever its exit code is."""

    state: Literal["done", "failed", "refused", "expired", "interrupted"]
    reason: str = ""
    exit_code: int | None = None
    output: str = ""
    took_seconds: float = 0.0


def execute(line: Sequence[str], timeout: float, stopped: Callable[[], bool]) -> Ended:
    """Run a command to its end, or until its time is over or this agent is ``stopped``.

    What it starts and leaves behind runs on when it ends by itself; its time over, all of its process
    group is killed.
    """
    began = time.monotonic()
    try:
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Ended("failed", f"it cannot be started: {getattr(error, 'strerror', None) or error}")
    assert process.stdout is not None
    with process.stdout, _Tail(process.stdout.fileno()) as tail:
        cut_short = _wait(process, tail, began + timeout, stopped)
        killed = not cut_short or _kill(process)
        tail.drain()
    ended = _ended(process.poll(), cut_short, f"it took longer than {timeout:g} s", killed)
    ended.output = tail.text()
    ended.took_seconds = round(time.monotonic() - began, 3)
    return ended


def _wait(
    process: "subprocess.Popen[bytes]", tail: "_Tail", deadline: float, stopped: Callable[[], bool]
) -> str:
    """Until it ends by itself; else the state in which it is to be ended."""
    while process.poll() is None:
        if stopped():
            return "interrupted"
        left = deadline - time.monotonic()
        if left <= 0:
            return "failed"
        tail.read(min(PAUSE, left))
    # On a stop systemd signals the command too, which may be seen first.
    return "interrupted" if stopped() and process.returncode < 0 else ""


def _ended(code: int | None, cut_short: str, too_long: str, killed: bool) -> Ended:
    if cut_short:
        why = STOPPED if cut_short == "interrupted" else too_long
        also = "" if killed else ", and could not be killed: it runs as somebody else"
        return Ended("interrupted" if cut_short == "interrupted" else "failed", why + also)
    assert code is not None
    if code < 0:
        return Ended("failed", f"it was ended by signal {-code}")
    return Ended("done", exit_code=code)


def _kill(process: "subprocess.Popen[bytes]") -> bool:
    if process.returncode is not None:  # its number may be somebody else's by now
        return True
    with suppress(ProcessLookupError, PermissionError):  # it is over, or runs as somebody else
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


class _Tail:
    """The end of what comes out of a pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._kept = bytearray()
        self._cut = False
        self._selector = selectors.DefaultSelector()
        os.set_blocking(pipe, False)

    def __enter__(self) -> "_Tail":
        self._selector.register(self._pipe, selectors.EVENT_READ)
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def read(self, seconds: float) -> None:
        """What comes within so many seconds, at most one piece."""
        if self._selector.select(seconds):
            self._piece()

    def drain(self) -> None:
        """What is there already."""
        read = 0
        while read < _MOST_DRAINED and self._selector.get_map() and (size := self._piece()):
            read += size

    def _piece(self) -> int:
        try:
            piece = os.read(self._pipe, _CHUNK)
        except BlockingIOError:
            return 0
        if not piece:
            self._selector.unregister(self._pipe)
        self._kept += piece
        if len(self._kept) > MOST_OUTPUT:
            self._cut = True
            del self._kept[:-MOST_OUTPUT]
        return len(piece)

    def text(self) -> str:
        """The end of it; three dots stand for what is left out before."""
        told = self._kept.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        return f"…{told}" if self._cut else told
