"""Two theatres side by side, fed from one record: folders of their own that go when the replay ends, however
it ends."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Final, Self

import tocsin
from tocsin.core.config import VARIABLES
from tocsin.core.errors import Unavailable
from tocsin.orchestration.replay.lines import Answer, Fed, Orders, encode, read_answer

STOP_SECONDS: Final = 10.0
_OURS: Final = ("TOCSIN_", "WEBHOOK_SECRET_", "DJANGO_", "PROMETHEUS_MULTIPROC_DIR")
_PACKAGES: Final = str(Path(tocsin.__path__[0]).parent)


class Theatre:
    """One process. Its answers may be read once it has ended, as often as one likes."""

    def __init__(self, folder: Path, orders: Orders) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700)
        with ExitStack() as opened:
            answers = opened.enter_context((folder / "answers").open("wb"))
            said = opened.enter_context((folder / "said").open("wb"))
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tocsin.orchestration.replay.theatre", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=answers,
                stderr=said,
                cwd=folder,
                env=_environment(folder, orders.configuration.settings),
                start_new_session=True,  # Ctrl-C reaches us alone
            )
        assert self._process.stdin is not None
        self._feed: IO[bytes] = self._process.stdin
        self.feed(encode(orders) + b"\n")

    def feed(self, lines: bytes) -> None:
        """Hand it lines; waits where it is behind. Raises Unavailable where it has ended."""
        try:
            self._feed.write(lines)
        except BrokenPipeError:
            self.finish()

    def finish(self) -> None:
        """Wait until it has played all. Raises Unavailable where it could not."""
        with suppress(BrokenPipeError):
            self._feed.close()
        if code := self._process.wait():
            said = (self._folder / "said").read_text(errors="replace").strip().splitlines()
            raise Unavailable(f"the replay broke off ({said[-1][:500] if said else f'exit code {code}'})")

    def answers(self) -> Iterator[Answer]:
        """What it found."""
        with (self._folder / "answers").open("rb") as lines:
            yield from map(read_answer, lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        with suppress(BrokenPipeError):
            self._feed.close()


def _environment(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    """None of this installation's settings: neither its secrets nor its peers are a theatre's."""
    ours = {variable.name for variable in VARIABLES}
    kept = {name: value for name, value in os.environ.items()
            if name not in ours and not name.startswith(_OURS)}  # fmt: skip
    return {
        **kept,
        **settings,
        "PYTHONPATH": os.pathsep.join(filter(None, (_PACKAGES, os.environ.get("PYTHONPATH")))),
        "TOCSIN_DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'replay.sqlite3'}",
        "TOCSIN_LOG_MAX_BYTES": "0",
        "LOG_LEVEL": "ERROR",
    }


@contextmanager
def theatres(before: Orders, after: Orders) -> Iterator[tuple[Theatre, Theatre]]:
    """Both, ready to be fed."""
    with _folder() as folder, ExitStack() as running:
        first = running.enter_context(Theatre(folder / "before", before))
        yield first, running.enter_context(Theatre(folder / "after", after))


def feed(both: Iterable[Theatre], lines: Iterable[Fed]) -> None:
    """Hand both the same lines."""
    for line in lines:
        encoded = encode(line) + b"\n"
        for one in both:
            one.feed(encoded)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tocsin-replay-"))
    try:
        with _ended_in_order():
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM and a terminal that closes end it as Ctrl-C does, so that nothing is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, was in old.items():
            signal.signal(number, was)


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
