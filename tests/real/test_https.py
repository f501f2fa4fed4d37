"""An installation with a certificate of its own: HTTPS for everything, and STARTTLS for mail."""

import contextlib
import smtplib
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from tests.fakes.tls import certificate
from tests.processes import Tocsin, free_port

pytestmark = pytest.mark.real
MAIL = b"Subject: CRITICAL: db-1 is down\r\nFrom: mon@example.com\r\n\r\nIt is so.\r\n"


@dataclass
class Installation:
    """One that is running, and what its clients need."""

    tocsin: Tocsin
    trust: ssl.SSLContext
    mail_port: int
    key: str


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    pem, mail_port = certificate(tmp_path), free_port()
    tocsin = Tocsin(TOCSIN_TLS_CERTIFICATE=str(pem), TOCSIN_SMTP_LISTEN=f"0.0.0.0:{mail_port}")
    tocsin.run("migrate")
    key = tocsin.run("api_key", "create", "mail", "--json")
    with tocsin:
        tocsin.wait(lambda: _answers(mail_port), "it to take mail")
        yield Installation(tocsin, ssl.create_default_context(cafile=pem), mail_port, _read(key))


def _answers(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 20):
        return True
    return False


def _read(told: str) -> str:
    return str(msgspec.json.decode(told)["key"])


def test_pages_and_ways_in_answer_over_https_alone(installation: Installation) -> None:
    tocsin = installation.tocsin
    assert tocsin.sign_in_link.startswith(f"https://127.0.0.1:{tocsin.port}/sign-in/")
    url = f"https://127.0.0.1:{tocsin.port}/alerts/webhook/generic/"
    request = urllib.request.Request(url, b'{"name":"x"}', {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, context=installation.trust, timeout=20) as answer:
        assert answer.status == 202
    with urllib.request.urlopen(tocsin.sign_in_link, context=installation.trust, timeout=20) as page:
        assert b"Sign in" in page.read()
    assert tocsin.post({"name": "x"}, "/alerts/webhook/generic/") == 0, "not over HTTP"


def test_mail_comes_in_over_starttls_and_a_login_needs_it(installation: Installation) -> None:
    with smtplib.SMTP("127.0.0.1", installation.mail_port, timeout=20) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        client.starttls(context=installation.trust)
        client.login("mon", installation.key)
        assert client.sendmail("mon@example.com", ["ops@example.com"], MAIL) == {}
    assert installation.tocsin.query("SELECT status, severity FROM alerts_alert") == [("firing", "critical")]


def test_a_certificate_that_cannot_be_used_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    tocsin = Tocsin(TOCSIN_TLS_CERTIFICATE=str(tmp_path / "no.pem"))
    command = [sys.executable, "-m", "tocsin", "up"]
    done = subprocess.run(
        command, env=tocsin.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "TOCSIN_TLS_CERTIFICATE" in done.stderr
    tocsin.__exit__()
