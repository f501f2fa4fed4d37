"""A real mail client against ``tocsin listen`` as a process."""

import re
import smtplib
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from tests.processes import Tocsin, free_port

pytestmark = pytest.mark.real


class Postman:
    """An installation that takes mail, ``tocsin listen`` alone, without ``up``."""

    def __init__(self, host: str = "127.0.0.1", **environment: str) -> None:
        self.port = free_port()
        self.tocsin = Tocsin(TOCSIN_SMTP_LISTEN=f"{host}:{self.port}", LOG_LEVEL="INFO", **environment)
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tocsin", "listen"]
        self.process = subprocess.Popen(
            command, env=self.tocsin.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        self.tocsin.wait(self._listens, "it to listen")

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as said:
            self.tocsin.output.extend(said)

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "".join(self.tocsin.output)
        return "smtp.listening" in "".join(self.tocsin.output)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(5) == 0
            self.process = None

    def close(self) -> None:
        self.stop()
        self.tocsin.__exit__()

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, timeout=20)

    def send(self, subject: str, text: str = "It is so.") -> str:
        """Send one mail; return what it was answered."""
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = subject, "mon@example.com", "ops@example.com"
        message.set_content(text)
        return self.deliver(message.as_bytes())

    def deliver(self, content: bytes) -> str:
        with self.client() as client:
            client.ehlo()
            client.mail("mon@example.com")
            client.rcpt("whoever@example.com")
            code, said = client.data(content)
            return f"{code} {said.decode()}"

    def alerts(self) -> list[Any]:
        return self.tocsin.query("SELECT name, status, severity FROM alerts_alert ORDER BY id")


@pytest.fixture
def postman() -> Iterator[Postman]:
    found = Postman()
    try:
        found.tocsin.run("migrate", "-v", "0")
        found.start()
        yield found
    finally:
        found.close()


def test_a_mail_is_on_disk_before_it_is_answered(postman: Postman) -> None:
    answer = postman.send("** PROBLEM Host Alert: web-1 is DOWN **")
    assert re.fullmatch(r"250 2\.0\.0 taken in as [0-9a-f]{32}", answer)
    assert postman.alerts() == [("** PROBLEM Host Alert: web-1 is DOWN **", "firing", "critical")]
    assert postman.send("** RECOVERY Host Alert: web-1 is UP **").startswith("250")
    assert [row[1] for row in postman.alerts()] == ["resolved"]
    rows = postman.tocsin.query("SELECT kind, source FROM alerts_alerthistory ORDER BY id")
    assert rows == [("fired", "email"), ("resolved", "email")]


def test_one_connection_may_bring_many_mails(postman: Postman) -> None:
    with postman.client() as client:
        for number in range(20):
            client.sendmail("a@example.com", ["b@example.com"], f"Subject: Disk on web-{number}\r\n\r\nx")
    assert len(postman.alerts()) == 20


@pytest.mark.parametrize("content", [
    b"Subject: a\0b\r\n\r\nc\0d",
    b"Subject: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nno end",
    "Subject: Störung\r\n\r\nx".encode("latin-1"),
    b"Subject: x\r\nContent-Type: text/plain; charset=hex\r\n\r\n\xff\xfe",
    b"Subject: x\r\n\r\n" + b"y" * 50_000,
], ids=["nul", "mime", "charset", "no-charset", "long-line"])  # fmt: skip
def test_odd_mails_do_not_hurt(postman: Postman, content: bytes) -> None:
    assert postman.deliver(content).startswith("250")
    assert len(postman.alerts()) == 1


def test_what_cannot_be_read_is_refused_with_the_reason(postman: Postman) -> None:
    assert postman.deliver(b"\r\n") == "554 5.6.0 the mail has neither a subject nor a text"
    assert postman.send("Good").startswith("250")


@pytest.mark.parametrize("line", [b"x" * 70 + b"\r\n", b"x" * 20_000 + b"\r\n"])
def test_a_mail_of_ten_megabytes_is_too_large(postman: Postman, line: bytes) -> None:
    content = b"Subject: large\r\n\r\n" + line * (10 * 1024 * 1024 // len(line))
    assert postman.deliver(content).startswith("552")
    with postman.client() as client:
        client.ehlo()
        assert client.mail("a@example.com", [f"size={len(content)}"])[0] == 552
    assert postman.send("Good").startswith("250")
    assert len(postman.alerts()) == 1


def test_what_cannot_be_stored_now_is_the_senders_to_send_again(postman: Postman) -> None:
    before = sqlite3.connect(postman.tocsin.data_dir / "tocsin.sqlite3")
    try:
        before.execute("ALTER TABLE alerts_alert RENAME TO elsewhere")
        assert postman.send("Disk full").startswith("451 4.3.0")
        before.execute("ALTER TABLE elsewhere RENAME TO alerts_alert")
    finally:
        before.close()
    assert postman.send("Disk full").startswith("250")
    assert len(postman.alerts()) == 1


def test_a_client_that_hangs_up_costs_nothing(postman: Postman) -> None:
    for said in (
        b"",
        b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: half",
        b"\0\xff\r\n" * 100,
    ):
        with socket.create_connection(("127.0.0.1", postman.port)) as client:
            client.sendall(said)
    assert postman.send("Good").startswith("250")
    assert len(postman.alerts()) == 1


def test_beyond_loopback_a_key_is_needed() -> None:
    postman = Postman("0.0.0.0")
    tocsin = postman.tocsin
    tocsin.run("migrate", "-v", "0")
    refused = subprocess.run(
        [sys.executable, "-m", "tocsin", "listen"], env=tocsin.environment, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "can be reached from other machines, and there is no key" in refused.stderr
    keys = {scope: tocsin.run("api_key", "create", scope, "--scope", scope) for scope in ("ingest", "read")}
    key, read_only = (re.findall(r"tocsin_\S+", keys[scope])[0] for scope in ("ingest", "read"))
    postman.start()
    try:
        assert "530" in _refusal(postman)
        for wrong in ("nothing", read_only):
            with postman.client() as client, pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("anybody", wrong)
        with postman.client() as client:
            client.login("anybody", key)
            client.sendmail("a@example.com", ["b@example.com"], "Subject: Disk full\r\n\r\nx")
        assert len(postman.alerts()) == 1
        assert key not in "".join(tocsin.output)
    finally:
        postman.close()


def _refusal(postman: Postman) -> str:
    with postman.client() as client:
        client.ehlo()
        return str(client.mail("a@example.com")[0])


def test_up_starts_it_and_refuses_an_open_door() -> None:
    port = free_port()
    with Tocsin(TOCSIN_SMTP_LISTEN=f"127.0.0.1:{port}") as tocsin:
        tocsin.wait(lambda: _listens(port), "it to listen")
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail("a@example.com", ["b@example.com"], "Subject: Disk full\r\n\r\nx")
        assert tocsin.query("SELECT name FROM alerts_alert") == [("Disk full",)]
        tocsin.stop()
        environment = tocsin.environment | {"TOCSIN_SMTP_LISTEN": f"0.0.0.0:{port}"}
        refused = subprocess.run(
            [sys.executable, "-m", "tocsin", "up"], env=environment, capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip
    assert refused.returncode == 1
    assert "tocsin api_key create NAME" in refused.stderr


def _listens(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0
