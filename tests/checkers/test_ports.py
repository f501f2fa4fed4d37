"""Ports, with sockets of the test's own."""

import shlex
import socket
import sys
from collections.abc import Iterator

import pytest

from tests.checkers.looking import LOOPBACK_UP, apart, look


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    family, address = request.param
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_that_must_be_open(port: int) -> None:
    found = look("ports", tcp=[port])
    assert (found.status, found.message) == ("ok", "all ports are open that must be")
    assert found.metrics["missing_ports"] == 0


def test_a_port_that_is_bound_but_does_not_listen_is_not_open() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        found = look("ports", tcp=[port])
    assert (found.status, found.message) == ("critical", f"tcp port {port} is not open")
    assert found.metrics["missing_ports"] == 1


def test_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert look("ports", udp=[port]).status == "ok"
        assert look("ports", tcp=[port]).status == "critical"
    assert look("ports", udp=[port]).status == "critical"


# A program that listens at some addresses and goes on as another, its sockets kept.
LISTEN = """
import os, socket, sys
for place in sys.argv[1].split():
    host, port = place.split(":")
    server = socket.create_server((host, int(port)))
    server.set_inheritable(True)
    server.detach()
os.execvp(sys.argv[2], sys.argv[2:])
"""


def listening_at(*places: str) -> str:
    return f"{LOOPBACK_UP}\nset -- {sys.executable} -c {shlex.quote(LISTEN)} '{' '.join(places)}' \"$@\""


def test_none_besides() -> None:
    with apart(listening_at("127.0.0.1:8001", "0.0.0.0:8002"), "ports", tcp=[8001], only=True) as there:
        found = there.look()
    assert found.status == "warning"
    assert found.message.startswith("tcp port 8002 is open by python")
    with apart(listening_at("127.0.0.1:8001", "0.0.0.0:8002"), "ports", tcp=[8002], only=True) as there:
        found = there.look()
    assert (found.status, found.message) == ("ok", "all ports are open that must be, and none besides")


def test_what_may_be_open_besides() -> None:
    arrange = listening_at("127.0.0.1:8001", "0.0.0.0:8002")
    with apart(arrange, "ports", allowed=[8002], only=True, loopback=True) as there:
        found = there.look()
    assert found.status == "warning"
    assert found.message.startswith("tcp port 8001 is open by python")
    with apart(arrange, "ports", allowed=[8001, 8002], only=True, loopback=True) as there:
        assert there.look().status == "ok"


def test_a_machine_without_any() -> None:
    with apart("", "ports", only=True) as there:
        found = there.look()
    assert (found.status, found.metrics["open_ports"]) == ("ok", 0)
    assert found.message == "all ports are open that must be, and none besides"
