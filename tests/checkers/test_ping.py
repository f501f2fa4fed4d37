"""Hosts that answer to ping, by socket or by program."""

import pytest

from tests.checkers.looking import apart, look
from tests.installed import require
from tocsin.checkers.running import build
from tocsin.core.errors import Forbidden


@pytest.fixture(autouse=True)
def _ping() -> None:
    require("ping")  # where its sockets are not allowed


def test_this_machine_answers() -> None:
    found = look("ping", hosts=["127.0.0.1", "localhost"], count=2)
    assert found.status == "ok"
    assert found.metrics["loss_percent[127.0.0.1]"] == found.metrics["loss_percent[localhost]"] == 0
    assert found.metrics["latency_ms[127.0.0.1]"] >= 0
    assert found.message.startswith("127.0.0.1 answers in ")


@pytest.mark.parametrize(("options", "status"), [
    ({"warning": 0, "critical": 60_000}, "warning"), ({"warning": 0, "critical": 0}, "critical"),
    ({"loss_warning": 0}, "warning"), ({"loss_critical": 0}, "critical"),
])  # fmt: skip
def test_thresholds(options: dict[str, float], status: str) -> None:
    assert look("ping", hosts=["127.0.0.1"], count=1, **options).status == status


SOCKETS = "echo '0 2147483647' > /proc/sys/net/ipv4/ping_group_range\nip link set lo up\n"


def test_by_socket_where_the_kernel_allows_it() -> None:
    with apart(SOCKETS, "ping", hosts=["127.0.0.1"], count=3) as there:
        found = there.look()
    assert (found.status, found.metrics["loss_percent[127.0.0.1]"]) == ("ok", 0)


def test_a_host_that_is_away() -> None:
    arrange = f"{SOCKETS}ip route add blackhole 192.0.2.0/24"
    with apart(arrange, "ping", hosts=["127.0.0.1", "192.0.2.7"], count=2, timeout=3) as there:
        found = there.look()
    assert (found.status, found.message) == ("critical", "192.0.2.7 does not answer")
    assert found.metrics["loss_percent[192.0.2.7]"] == 100
    assert "latency_ms[192.0.2.7]" not in found.metrics
    assert found.metrics["loss_percent[127.0.0.1]"] == 0


def test_a_name_that_nobody_has() -> None:
    found = look("ping", hosts=["nobody.invalid"])
    assert found.status == "critical"
    assert "nobody.invalid" in found.message


def test_only_trusted_options_reach_this_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    with pytest.raises(Forbidden):
        build("ping", {"hosts": ["127.0.0.1"]}).check()
