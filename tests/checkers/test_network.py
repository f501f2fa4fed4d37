"""Hosts that answer and that do not, links, and packets that an interface drops."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.checkers.looking import LOOPBACK_UP, apart, checker, look, program
from tocsin.checkers.running import build

# Frames of a protocol that nobody here speaks: the kernel drops each and counts it.
UNSPOKEN = (
    f"{sys.executable} -c 'import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); "
    's.bind(("lo", 0)); [s.send(bytes(12) + b"\\x88\\xb5" + bytes(50)) for _ in range(1000)]\''
)
ALLOW_PING = "echo 0 0 >/proc/sys/net/ipv4/ping_group_range"
PING = """echo 'PING 127.0.0.1 (127.0.0.1) 56(84) bytes of data.

--- 127.0.0.1 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
rtt min/avg/max/mdev = 12.500/12.500/12.500/0.000 ms'"""


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_that_answers_and_one_that_does_not(port: int) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        deaf = closed.getsockname()[1]
        found = look("network", hosts=[f"127.0.0.1:{port}", f"127.0.0.1:{deaf}"])
    assert found.status == "critical"
    assert f"127.0.0.1:{deaf}: Connection refused" in found.message
    assert found.metrics[f"latency_ms[127.0.0.1:{port}]"] > 0
    assert f"latency_ms[127.0.0.1:{deaf}]" not in found.metrics
    well = look("network", hosts=[f"127.0.0.1:{port}"])
    assert well.status == "ok"
    assert well.message.startswith("every host answers, ")


def test_hosts_are_pinged_without_privileges() -> None:
    hosts = ["127.0.0.1", "::1", "192.0.2.1"]
    with apart(f"{LOOPBACK_UP}; {ALLOW_PING}", "network", hosts=hosts) as there:
        found = there.look()
    assert found.status == "critical"
    assert found.message == "192.0.2.1 is not reached: Network is unreachable"
    assert {"latency_ms[127.0.0.1]", "latency_ms[::1]"} <= found.metrics.keys()


def test_where_ping_sockets_are_not_allowed_the_program_pings(tmp_path: Path) -> None:
    program(tmp_path, "ping", PING)
    arrange = f"{LOOPBACK_UP}; echo 1 0 >/proc/sys/net/ipv4/ping_group_range; export PATH={tmp_path}:$PATH"
    with apart(arrange, "network", hosts=["127.0.0.1"]) as there:
        assert there.look().metrics["latency_ms[127.0.0.1]"] == 12.5
        program(tmp_path, "ping", "exit 1")
        found = there.look()
    assert (found.status, found.message) == ("critical", "127.0.0.1 is not reached: no answer to ping")


def test_a_link_that_must_be_up() -> None:
    with apart("", "network", interfaces=["lo"]) as there:
        found = there.look()
        assert (found.status, found.message) == ("critical", "lo is down")
        assert there.look(LOOPBACK_UP).status == "ok"


def test_an_interface_that_is_not_there() -> None:
    found = look("network", interfaces=["tocsin0"])
    assert (found.status, found.message) == ("critical", "there is no interface tocsin0")


def test_packets_that_are_dropped_since_the_last_look() -> None:
    with apart(LOOPBACK_UP, "network", interfaces=["lo"], drops_warning=0.01, drops_critical=1e9) as there:
        assert "drops_per_second[lo]" not in there.look(UNSPOKEN).metrics, "one look knows no rate"
        assert there.look().status == "ok"
        found = there.look(UNSPOKEN)
        assert found.status == "warning"
        assert found.message.startswith("lo drops ")
        assert found.metrics["drops_per_second[lo]"] > 0
        assert there.look().status == "ok"


def test_without_any_named_all_but_the_loopback_are_looked_at() -> None:
    there = checker("network")
    there.check()
    found = {name[18:-1] for name in there.check().metrics if name.startswith("errors_per_second[")}
    assert found == {name for name in psutil.net_io_counters(pernic=True) if name != "lo"}


def test_many_dead_hosts_leave_time_for_the_others(tmp_path: Path) -> None:
    program(tmp_path, "ping", f'test "$8" = 127.0.0.1 || exec sleep 600; {PING}')
    hosts = [*(f"127.0.1.{number}" for number in range(1, 17)), "127.0.0.1"]
    arrange = f"{LOOPBACK_UP}; echo 1 0 >/proc/sys/net/ipv4/ping_group_range; export PATH={tmp_path}:$PATH"
    with apart(arrange, "network", hosts=hosts, timeout=4) as there:
        found = there.look()
    assert [name for name in found.metrics if name.startswith("latency_ms")] == ["latency_ms[127.0.0.1]"]


def test_only_who_is_trusted_reaches_what_is_not_public(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    assert look("network", hosts=[f"127.0.0.1:{port}"]).status == "ok"
    found = build("network", {"hosts": [f"127.0.0.1:{port}", "127.0.0.1"]}).check()
    assert found.status == "unknown"
    assert "TOCSIN_OUTBOUND_ALLOW" in found.message
    assert not [name for name in found.metrics if name.startswith("latency_ms")]
