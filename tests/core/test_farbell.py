"""The bell over a real Redis: heard at once, and quiet about what Redis does meanwhile."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.checkers.servers import listens, redis
from tests.fakes.receiver import Receiver
from tests.installed import require
from tests.processes import free_port
from tocsin.core import farbell
from tocsin.core.errors import Misconfigured
from tocsin.core.farbell import Listener, Ringer
from tocsin.core.redis import Address, address


class Bell:
    """Both ends, what was heard and what was told."""

    def __init__(self, url: str, caplog: pytest.LogCaptureFixture) -> None:
        self.heard = 0
        self._log = caplog
        self.ringer = Ringer(url)
        self.listener = Listener(url, self._hear)

    def _hear(self) -> None:
        self.heard += 1

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """Event, use and error of each line."""
        lines: list[Any] = [r.msg for r in self._log.records if r.name == farbell.__name__]
        return [(line["event"], line["use"], line.get("error", "")) for line in lines]

    def events(self, use: str) -> list[str]:
        return [event for event, of, _ in self.told if of == use]

    def ring_until_heard(self) -> float:
        """Seconds until a ring was heard."""
        before, began = self.heard, time.monotonic()
        self.ringer.ring()
        wait(lambda: self.heard > before)
        return time.monotonic() - began


def wait(condition: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.0005)


@contextmanager
def server(port: int, folder: Path, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Redis on a port that it comes back to."""
    command = [require("redis-server"), "--port", str(port), "--dir", str(folder), "--save", "", *options]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait(lambda: listens(port))
        yield running
    finally:
        running.kill()
        running.wait()


@pytest.fixture
def bell(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Bell]]:
    made: list[Bell] = []
    monkeypatch.setattr(farbell, "QUIET_SECONDS", 0.5)

    def make(url: str) -> Bell:
        made.append(Bell(url, caplog))
        return made[-1]

    yield make
    for each in made:
        each.ringer.close()
        each.listener.close()
        each.ringer.join(5)
        each.listener.join(5)


def up(use: str) -> float | None:
    return REGISTRY.get_sample_value("tocsin_redis_up", {"use": use})


@pytest.mark.real
def test_a_ring_is_heard_at_once_and_a_burst_rings_once(tmp_path: Path, bell: Callable[[str], Bell]) -> None:
    with redis(tmp_path) as port:
        ours, other = bell(f"redis://127.0.0.1:{port}/0"), bell(f"redis://127.0.0.1:{port}/1")
        wait(lambda: ours.heard and other.heard)  # each rings by itself once it listens
        assert ours.ring_until_heard() < 1
        time.sleep(0.05)
        assert sorted(ours.ring_until_heard() for _ in range(20))[10] < 0.05
        assert other.heard == 1, "another database is another installation"
        heard, began = ours.heard, time.monotonic()
        for _ in range(20_000):
            ours.ringer.ring()
        took = time.monotonic() - began
        time.sleep(0.1)
        assert took < 1, "a ring costs microseconds"
        assert 1 <= ours.heard - heard <= 2 + (took + 0.1) / farbell.GATHER_SECONDS
        assert (up("ring"), up("hear"), ours.told) == (1, 1, [])


@pytest.mark.real
def test_told_once_when_it_is_lost_and_once_when_it_is_back(
    tmp_path: Path, bell: Callable[[str], Bell]
) -> None:
    port = free_port()
    with server(port, tmp_path):
        ours = bell(f"redis://127.0.0.1:{port}")
        ours.ring_until_heard()
        with socket.create_connection(("127.0.0.1", port)) as other:
            other.sendall(b"FLUSHALL\r\n")
            assert other.recv(100) == b"+OK\r\n"
        ours.ring_until_heard()
        assert ours.told == []
        time.sleep(farbell.STEADY_SECONDS)
    ours.ringer.ring()
    wait(lambda: len(ours.told) == 2)
    assert (up("ring"), up("hear")) == (0, 0)
    time.sleep(1)  # several tries
    assert ours.events("ring") == ours.events("hear") == ["redis.lost"]
    with server(port, tmp_path):
        wait(lambda: len(ours.told) == 4)
        assert ours.events("ring") == ours.events("hear") == ["redis.lost", "redis.back"]
        assert (up("ring"), up("hear")) == (1, 1)
        ours.ring_until_heard()


@pytest.mark.real
def test_one_that_hangs_holds_up_nobody(tmp_path: Path, bell: Callable[[str], Bell]) -> None:
    port = free_port()
    with server(port, tmp_path) as process:
        ours = bell(f"redis://127.0.0.1:{port}")
        ours.ring_until_heard()
        process.send_signal(signal.SIGSTOP)
        slowest = 0.0
        while len(ours.told) < 2:
            began = time.perf_counter()
            ours.ringer.ring()
            slowest = max(slowest, time.perf_counter() - began)
            time.sleep(0.001)
        assert slowest < 0.1
        assert sorted(ours.told) == [("redis.lost", "hear", "timed out"), ("redis.lost", "ring", "timed out")]
        process.send_signal(signal.SIGCONT)
        wait(lambda: len(ours.told) == 4)
        ours.ring_until_heard()


@pytest.mark.real
def test_one_that_refuses_the_password(tmp_path: Path, bell: Callable[[str], Bell]) -> None:
    with redis(tmp_path, "--requirepass", "s3cr&t") as port:
        bell(f"redis://:s3cr%26t@127.0.0.1:{port}").ring_until_heard()
        ours = bell(f"redis://:wr0ng@127.0.0.1:{port}")
        ours.ringer.ring()
        wait(lambda: len(ours.told) == 2)
        time.sleep(0.5)
        assert len(ours.told) == 2
        assert all("WRONGPASS" in error and "wr0ng" not in error for _, _, error in ours.told)
        assert ours.heard == 0


@pytest.mark.real
def test_a_unix_socket(tmp_path: Path, bell: Callable[[str], Bell]) -> None:
    with redis(tmp_path, "--unixsocket", str(tmp_path / "redis.sock")):
        bell(f"unix://{tmp_path / 'redis.sock'}").ring_until_heard()


def test_what_is_no_redis(receiver: Receiver, bell: Callable[[str], Bell]) -> None:
    ours = bell(f"redis://127.0.0.1:{receiver.port}")
    ours.ringer.ring()
    wait(lambda: len(ours.told) == 2)
    assert {event for event, _, _ in ours.told} == {"redis.lost"}


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis://redis.internal", Address("redis.internal", 6379)),
        ("redis://[::1]:7000/3", Address("::1", 7000, database="3")),
        ("rediss://me:p%40ss@r:1/0", Address("r", 1, True, "me", "p@ss")),
        ("redis://:s3cret@r", Address("r", 6379, False, "", "s3cret")),
        ("unix:///run/redis.sock", Address("/run/redis.sock", 0)),
    ],
)
def test_addresses(url: str, found: Address) -> None:
    assert address(url) == found
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    "url", ["redis", "http://r", "redis://r:port", "redis://:s3cret@r:99999", "redis://[r"]
)
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(Misconfigured, match="REDIS_URL") as told:
        address(url)
    assert "s3cret" not in str(told.value)
