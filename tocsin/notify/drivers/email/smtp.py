"""Handing a mail over to a mail server."""

import smtplib
import socket
import ssl
from contextlib import suppress
from email.message import EmailMessage
from typing import Any, BinaryIO, Final

from tocsin.core.errors import Rejected, Unavailable
from tocsin.notify.drivers.email.config import Config

MAX_ANSWER: Final = 8_192  # bytes, of all lines


class _Lines:
    """What a server says to one command, as long as it comes to an end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.heard = 0

    def readline(self, size: int) -> bytes:
        line = self._file.readline(size)
        self.heard += len(line)
        if self.heard > MAX_ANSWER:
            raise OSError("the answer does not end")
        return line

    def close(self) -> None:
        self._file.close()


class _Smtp(smtplib.SMTP):
    """Connects to the address that was checked; TLS still verifies the host's name. ``handed_over`` says
    whether the server has the whole mail, whatever it answers."""

    address = ""
    handed_over = False
    ended = False
    file: Any

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connected: socket.socket = super()._get_socket(self.address, port, timeout)  # type: ignore[misc]
        return connected

    def getreply(self) -> tuple[int, bytes]:
        if self.ended:
            raise OSError("nobody waits any more")
        if self.file is None and self.sock is not None:
            self.file = _Lines(self.sock.makefile("rb"))
        if self.file is not None:
            self.file.heard = 0
        return super().getreply()

    def send(self, s: Any) -> None:
        super().send(s)
        self.handed_over = isinstance(s, bytes)  # commands are text


class _SmtpOverTls(smtplib.SMTP_SSL, _Smtp):
    """The same, encrypted from the first byte."""


class Handover:
    """Gives one mail to the server at an address."""

    def __init__(self, config: Config, address: str, timeout: float) -> None:
        self._config = config
        self._smtp = (_SmtpOverTls if config.security == "tls" else _Smtp)(timeout=timeout)
        self._smtp.address = address
        self._smtp._host = config.smtp_host  # type: ignore[attr-defined]  # whose certificate it has to be

    @property
    def done(self) -> bool:
        """Whether the server has the whole mail, and did not say yet what becomes of it."""
        return self._smtp.handed_over

    def give(self, mail: EmailMessage) -> str:
        """Give the mail, in this thread; raises as smtplib does."""
        smtp, config = self._smtp, self._config
        try:
            self._connect()
            if config.username:
                smtp.login(config.username, config.password.get_secret_value())
            refused = smtp.send_message(mail)
            with suppress(OSError):
                smtp.putcmd("QUIT")  # whatever is answered: the mail is taken
        finally:
            smtp.close()
        return f"accepted, but refused for {', '.join(refused)}" if refused else "accepted"

    def _connect(self) -> None:
        code, greeting = self._smtp.connect(self._config.smtp_host, self._config.smtp_port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, greeting)
        if self._config.security == "starttls":
            self._smtp.starttls(context=ssl.create_default_context())

    def end(self) -> None:
        """Free the thread that still waits, or is told more and more."""
        self._smtp.ended = True
        connected = self._smtp.sock
        if connected is not None:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


def by_code(error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> Exception:
    """SMTP's own distinction: 4xx may pass later, 5xx will not."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, answer = min(error.recipients.values())  # where one may be served later, all are tried again
        said = _said(code, answer)
    else:
        code, said = error.smtp_code, _said(error.smtp_code, error.smtp_error)
    return Rejected(said) if 500 <= code < 600 else Unavailable(said)  # others are none of SMTP's


def _said(code: int, answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return f"{code} {' '.join(text.split())}"[:300]
