"""Ports that listen, and what they say."""

import pytest

from tests.checkers.looking import look
from tests.fakes.receiver import Receiver
from tests.fakes.smtp import mail_server
from tests.processes import free_port
from tocsin.checkers.running import build
from tocsin.core.errors import Forbidden, Rejected


def test_ports_that_listen_and_one_that_does_not(receiver: Receiver) -> None:
    here, gone = f"127.0.0.1:{receiver.port}", f"127.0.0.1:{free_port()}"
    found = look("tcp", hosts=[here])
    assert (found.status, found.metrics[f"latency_ms[{here}]"] > 0) == ("ok", True)
    assert found.message.startswith(f"{here} connects in ")
    found = look("tcp", hosts=[here, gone])
    assert (found.status, found.message) == ("critical", f"{gone}: Connection refused")
    assert list(found.metrics) == [f"latency_ms[{here}]"]


def test_what_it_says() -> None:
    with mail_server() as server:
        host = f"127.0.0.1:{server.port}"
        assert look("tcp", hosts=[host], expect="220 fake").status == "ok"
        assert look("tcp", hosts=[host], send="QUIT\\r\\n", expect="221 bye").status == "ok"
        other = look("tcp", hosts=[host], send="QUIT\\r\\n", expect="SSH-2.0")
        assert other.status == "critical"
        assert "220 fake ESMTP" in other.message and "and not 'SSH-2.0'" in other.message
        server.silent = True
        silent = look("tcp", hosts=[host], expect="220", timeout=0.3)
        assert (silent.status, silent.message) == ("critical", f"{host} did not answer in time")


@pytest.mark.parametrize(("options", "status"), [
    ({"warning": 0, "critical": 60_000}, "warning"), ({"warning": 0, "critical": 0}, "critical"),
])  # fmt: skip
def test_thresholds(receiver: Receiver, options: dict[str, float], status: str) -> None:
    assert look("tcp", hosts=[f"127.0.0.1:{receiver.port}"], **options).status == status


def test_an_ipv6_address_in_brackets() -> None:
    assert "[::1]:" in look("tcp", hosts=[f"[::1]:{free_port()}"]).message


@pytest.mark.parametrize("host", ["here", "here:", ":80", "here:http", "::1", "here:70000"])
def test_what_is_no_host_and_port(host: str) -> None:
    with pytest.raises(Rejected, match="not of the form host:port"):
        look("tcp", hosts=[host])


def test_only_trusted_options_reach_this_network(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    with pytest.raises(Forbidden):
        build("tcp", {"hosts": [f"127.0.0.1:{receiver.port}"]}).check()
