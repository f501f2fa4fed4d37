"""The connection to the hub: what becomes of answers that are slow, odd, or none."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.agent.rounds import START
from tests.fakes.hub import Hub as FakeHub
from tests.fakes.hub import Said
from tocsin.agent import hub as module
from tocsin.agent.hub import LONGEST_RETRY_AFTER, Hub, Refused, Unfit
from tocsin.core.errors import Unavailable

EMPTY = b'{"alerts": []}'


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Reads what comes and answers in its own way, on each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    try:
                        answer(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 202 Accepted\r\nX-Slow: ")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.1)


@pytest.mark.parametrize(("answer", "told"), [
    (lambda connection: None, "hung up"),
    (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "SSH"),
    (lambda connection: connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Le"), None),
    (lambda connection: connection.sendall(b"HTTP/1.1 202 Accepted\r\n" + b"X: y\r\n" * 500 + b"\r\n"), None),
    (lambda connection: connection.sendall(b"HTTP/1.1 abc\r\n\r\n"), None),
])  # fmt: skip
def test_what_is_no_answer_is_no_acceptance(
    answer: Callable[[socket.socket], None], told: str | None
) -> None:
    with server(answer) as url, pytest.raises(Unavailable, match=told):
        Hub(url).push(EMPTY, START)


def test_an_answer_that_drips_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WHOLE_SECONDS", 0.5)
    with server(drip) as url, pytest.raises(Unavailable):
        Hub(url).push(EMPTY, START)


def test_no_answer_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    with (
        server(lambda connection: time.sleep(1)) as url,
        pytest.raises(Unavailable, match="no answer in time"),
    ):
        Hub(url).push(EMPTY, START)


def test_nobody_there_and_no_such_name() -> None:
    with pytest.raises(Unavailable, match="refused"):
        Hub("http://127.0.0.1:1").push(EMPTY, START)
    with pytest.raises(Unavailable):
        Hub("http://no-such-host.invalid").push(EMPTY, START)


def pushed(fake: FakeHub, said: Said) -> Exception:
    fake.said = [said]
    hub = Hub(fake.url)
    try:
        hub.push(b'{"alerts": [], "spool": "s"}', START)
    except (Unavailable, Unfit, Refused) as error:
        return error
    finally:
        hub.close()
    raise AssertionError("it was taken")


@pytest.mark.parametrize(("status", "kind"), [
    (400, Unfit), (413, Unfit), (422, Unfit),
    (401, Refused), (403, Refused), (404, Refused), (405, Refused), (200, Refused), (302, Refused),
    (408, Unavailable), (429, Unavailable), (500, Unavailable), (502, Unavailable), (503, Unavailable),
])  # fmt: skip
def test_what_an_answer_asks_for(hub: FakeHub, status: int, kind: type[Exception]) -> None:
    assert isinstance(pushed(hub, Said(status)), kind)


@pytest.mark.parametrize(("header", "seconds"), [
    ("7", 7), ("0", 0), ("100000", LONGEST_RETRY_AFTER), ("soon", None), ("-3", None), ("", None),
    ("Sat, 21 Nov 2026 12:00:30 GMT", 30), ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
    ("9" * 400, LONGEST_RETRY_AFTER),
])  # fmt: skip
def test_how_long_it_asks_to_wait(hub: FakeHub, header: str, seconds: float | None) -> None:
    error = pushed(hub, Said(503, {"Retry-After": header}))
    assert isinstance(error, Unavailable) and error.retry_after == seconds


def test_what_the_hub_says_is_told_in_one_plain_line(hub: FakeHub) -> None:
    error = pushed(hub, Said(403, body={"message": "no\x1b[31m\nway" + "!" * 1_000}))
    assert "no [31m way!" in str(error) and len(str(error)) < 600
