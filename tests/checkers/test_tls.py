"""Certificates of real servers: good, expired, for others, by nobody that is trusted."""

import socket
import ssl
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from tests.checkers.authority import Authority, tls_server
from tests.checkers.looking import look
from tests.fakes.tls import certificate
from tests.processes import free_port
from tocsin.checkers.certificates import read
from tocsin.core.tls import server_context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_good_one(authority: Authority) -> None:
    with tls_server(authority.issue("127.0.0.1", days=30.5)) as port:
        found = look("tls", hosts=[f"127.0.0.1:{port}"], ca_file=str(authority.file))
    assert (found.status, found.message) == (
        "ok", f"127.0.0.1:{port} is certified by Test authority for 30 more days"
    )  # fmt: skip
    assert found.metrics == {f"days_left[127.0.0.1:{port}]": pytest.approx(30.5, abs=0.01)}


@pytest.mark.parametrize(("days", "status"), [(20, "warning"), (6, "critical"), (22, "ok")])
def test_days_left(authority: Authority, days: float, status: str) -> None:
    with tls_server(authority.issue("127.0.0.1", days=days)) as port:
        assert look("tls", hosts=[f"127.0.0.1:{port}"], ca_file=str(authority.file)).status == status


def test_one_that_has_expired(authority: Authority) -> None:
    with tls_server(authority.issue("127.0.0.1", days=-3)) as port:
        found = look("tls", hosts=[f"127.0.0.1:{port}"], ca_file=str(authority.file))
        unchecked = look("tls", hosts=[f"127.0.0.1:{port}"], verify=False)
    assert found.status == unchecked.status == "critical"
    assert "has expired 3 days ago" in found.message
    assert "certificate has expired; it is for 127.0.0.1" in found.message


def test_one_for_another_name(authority: Authority) -> None:
    with tls_server(authority.issue("shop.example", "www.shop.example")) as port:
        found = look("tls", hosts=[f"127.0.0.1:{port}"], ca_file=str(authority.file))
        assert found.status == "critical"
        assert "IP address mismatch" in found.message
        assert "it is for shop.example, www.shop.example" in found.message
        named = look(
            "tls", hosts=[f"127.0.0.1:{port}"], ca_file=str(authority.file), server_name="www.shop.example"
        )
        assert named.status == "ok"


def test_one_of_an_authority_that_is_not_trusted(authority: Authority) -> None:
    with tls_server(authority.issue("127.0.0.1")) as port:
        found = look("tls", hosts=[f"127.0.0.1:{port}"])
        assert found.status == "critical"
        assert "unable to get local issuer certificate" in found.message
        assert look("tls", hosts=[f"127.0.0.1:{port}"], verify=False).status == "ok"


def test_one_that_certifies_itself(tmp_path: Path) -> None:
    with tls_server(certificate(tmp_path)) as port:
        found = look("tls", hosts=[f"127.0.0.1:{port}"], verify=False)
        refused = look("tls", hosts=[f"127.0.0.1:{port}"])
    assert "is certified by itself for 0 more days" in found.message
    assert "self-signed certificate" in refused.message


def test_one_dead_server_among_others(authority: Authority) -> None:
    gone = free_port()
    with tls_server(authority.issue("127.0.0.1")) as port:
        hosts = [f"127.0.0.1:{port}", f"127.0.0.1:{gone}"]
        found = look("tls", hosts=hosts, ca_file=str(authority.file))
    assert (found.status, found.message) == ("critical", f"127.0.0.1:{gone}: Connection refused")
    assert list(found.metrics) == [f"days_left[127.0.0.1:{port}]"]


def test_starttls_of_a_real_mail_server(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_TLS_CERTIFICATE", str(authority.issue("127.0.0.1", days=40.5)))
    port = free_port()
    server = Controller(Sink(), hostname="127.0.0.1", port=port, tls_context=server_context())
    server.start()
    try:
        found = look("tls", hosts=[f"127.0.0.1:{port}"], starttls="smtp", ca_file=str(authority.file))
    finally:
        server.stop()
    assert found.status == "ok"
    assert "40 more days" in found.message


def _imap(connection: socket.socket) -> None:
    connection.sendall(b"* OK IMAP4rev1 ready\r\n")
    assert connection.recv(100) == b"a STARTTLS\r\n"
    connection.sendall(b"a OK begin TLS\r\n")


def test_starttls_of_imap(authority: Authority) -> None:
    with tls_server(authority.issue("127.0.0.1"), _imap) as port:
        found = look("tls", hosts=[f"127.0.0.1:{port}"], starttls="imap", ca_file=str(authority.file))
    assert found.status == "ok"


def test_a_server_that_has_no_starttls() -> None:
    port = free_port()
    server = Controller(Sink(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        found = look("tls", hosts=[f"127.0.0.1:{port}"], starttls="smtp")
    finally:
        server.stop()
    assert found.status == "critical"
    assert "no STARTTLS" in found.message


def test_a_certificate_without_other_names(authority: Authority) -> None:
    found = read(ssl.PEM_cert_to_DER_cert(authority.file.read_text()))
    assert (found.names, found.self_signed) == (("Test authority",), True)
