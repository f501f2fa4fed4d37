"""Names, by a real name server that is stopped; and by the system's resolver."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.checkers.servers import dnsmasq
from tests.processes import free_port
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.checks import dns as checks_dns
from tocsin.checkers.running import build
from tocsin.core.errors import Forbidden, Misconfigured

RECORDS = (
    "--host-record=shop.test,192.0.2.1,2001:db8::1",
    "--host-record=pair.test,192.0.2.2",
    "--host-record=pair.test,192.0.2.3",
    "--cname=www.shop.test,shop.test",
    "--mx-host=shop.test,mail.shop.test,10",
    "--txt-record=shop.test,v=spf1 -all",
    "--dns-rr=shop.test,2,026e73047465737400",  # NS ns.test, as it goes over the wire
    "--local=/test/",
)


def look(**options: Any) -> CheckResult:
    return build("dns", options, trusted=True).check()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with dnsmasq(*RECORDS) as port:
        yield f"127.0.0.1:{port}"


@pytest.mark.real
@pytest.mark.parametrize(("name", "kind", "answer"), [
    ("shop.test", "A", "192.0.2.1"), ("shop.test", "AAAA", "2001:db8::1"),
    ("www.shop.test", "CNAME", "shop.test"), ("shop.test", "MX", "10 mail.shop.test"),
    ("shop.test", "TXT", "v=spf1 -all"), ("shop.test", "NS", "ns.test"),
])  # fmt: skip
def test_each_kind(server: str, name: str, kind: str, answer: str) -> None:
    found = look(name=name, type=kind, server=server, expected=[answer], exact=True)
    assert found.status == "ok"
    assert found.message.startswith(f"{name} {kind} is {answer}, in ")
    assert found.metrics["answers"] == 1 and found.metrics["latency_ms"] > 0
    other = look(name=name, type=kind, server=server, expected=["other"])
    assert (other.status, other.message) == ("critical", f"{name} {kind} is {answer}, not other")


@pytest.mark.real
def test_several_answers(server: str) -> None:
    assert look(name="pair.test", server=server, expected=["192.0.2.3"]).status == "ok"
    found = look(name="pair.test", server=server, expected=["192.0.2.3"], exact=True)
    assert (found.status, found.message) == ("critical", "pair.test A is also 192.0.2.2")


@pytest.mark.real
@pytest.mark.parametrize(("name", "kind", "said"), [
    ("nobody.test", "A", "there is no name nobody.test"), ("pair.test", "AAAA", "pair.test has no AAAA"),
    ("elsewhere.example", "A", "no name server could tell of elsewhere.example"),
])  # fmt: skip
def test_names_without_an_answer(server: str, name: str, kind: str, said: str) -> None:
    found = look(name=name, type=kind, server=server)
    assert found.status == "critical"
    assert found.message.startswith(said)


@pytest.mark.real
def test_a_slow_answer(server: str) -> None:
    found = look(name="shop.test", server=server, warning=0, critical=60_000)
    assert (found.status, "the answer took" in found.message) == ("warning", True)


@pytest.mark.real
def test_a_server_that_is_stopped() -> None:
    with dnsmasq(*RECORDS) as port:
        asking = build(
            "dns", {"name": "shop.test", "server": f"127.0.0.1:{port}", "timeout": 1}, trusted=True
        )
        assert asking.check().status == "ok"
    gone = asking.check()
    assert (gone.status, gone.message) == ("critical", "no name server answered in time about shop.test")


def test_a_server_that_is_not_there() -> None:
    assert look(name="shop.test", server=f"127.0.0.1:{free_port()}", timeout=0.5).status == "critical"


def test_only_trusted_options_reach_this_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    with pytest.raises(Forbidden):
        build("dns", {"name": "shop.test", "server": "127.0.0.1"}).check()


def test_without_dnspython_the_system_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_dns, "_FULL", False)
    assert look(name="localhost", expected=["127.0.0.1"]).status == "ok"
    assert look(name="nobody.invalid").status == "critical"
    for options in ({"type": "MX"}, {"server": "127.0.0.1"}):
        with pytest.raises(Misconfigured, match=r"tocsin\[dns\]"):
            look(name="localhost", **options)
