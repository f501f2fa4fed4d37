"""The guard on outbound connections: public addresses, and those that were allowed by name."""

import pytest

from tests.fakes.receiver import Receiver
from tocsin.core.errors import Forbidden, Misconfigured, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import Allowed, allowed, resolve, resolve_all

NOBODY = Allowed.read([])


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_open(address: str) -> None:
    NOBODY.check("example.com", address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
        "169.254.169.254", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::1", "::", "fe80::1",
        "fe80::1%eth0", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "2001::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1",
    ],
)  # fmt: skip
def test_all_others_are_closed_and_the_refusal_names_the_setting(address: str) -> None:
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        NOBODY.check("example.com", address)


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("127.0.0.0/8", "127.1.2.3"),
        ("10.1.2.3", "10.1.2.3"),
        ("fd00::/8", "fd12::1"),
        ("127.0.0.0/8", "::ffff:127.0.0.1"),
        ("10.0.0.7/8", "10.9.9.9"),
        ("Hooks.Internal", "192.168.0.1"),
    ],
)
def test_what_is_allowed_is_open(entry: str, address: str) -> None:
    Allowed.read([entry]).check("hooks.internal", address)


def test_a_host_that_is_allowed_opens_no_other() -> None:
    with pytest.raises(Forbidden):
        Allowed.read(["hooks.internal"]).check("other.internal", "192.168.0.1")
    with pytest.raises(Forbidden):
        Allowed.read(["internal"]).check("hooks.internal", "192.168.0.1")


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "300.1.1.1/8", "/8"])
def test_a_malformed_entry_is_told(entry: str) -> None:
    with pytest.raises(Misconfigured, match="TOCSIN_OUTBOUND_ALLOW"):
        Allowed.read([entry])


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", " 10.0.0.0/8 , hooks.internal,")
    found = allowed()
    assert (len(found.networks), found.hosts) == (1, frozenset({"hooks.internal"}))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "::1"]
)
async def test_every_way_to_write_loopback_is_seen_through(host: str) -> None:
    with pytest.raises(Forbidden, match=r"127\.0\.0\.1|::1"):
        await resolve(host, 80, NOBODY)


async def test_of_a_host_with_several_addresses_those_allowed_are_taken() -> None:
    assert await resolve_all("localhost", 80, Allowed.read(["127.0.0.0/8"])) == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["", ".", "a" * 300, "-.invalid", "exa mple"])
async def test_a_name_that_cannot_be_resolved_may_be_there_later(host: str) -> None:
    with pytest.raises((Unavailable, Forbidden)):
        await resolve(host, 80, NOBODY)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "0x7f.1"])
async def test_the_client_does_not_connect_to_what_is_forbidden(receiver: Receiver, host: str) -> None:
    client = Client(NOBODY)
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        await client.post(f"http://{host}:{receiver.port}/", b"", {})
    assert receiver.received == []
