"""Handing a mail over to a mail server."""

import smtplib
import socket
import ssl
from email.message import EmailMessage

from tocsin.core.errors import Rejected, Unavailable
from tocsin.notify.drivers.email.config import Config


class _Smtp(smtplib.SMTP):
    """Connects to the address that was checked; TLS still verifies the host's name."""

    address = ""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connected: socket.socket = super()._get_socket(self.address, port, timeout)  # type: ignore[misc]
        return connected


class _SmtpOverTls(smtplib.SMTP_SSL, _Smtp):
    """The same, encrypted from the first byte."""


def hand_over(mail: EmailMessage, config: Config, address: str, timeout: float) -> str:
    """Give a mail to the server at that address, in this thread; raises as smtplib does."""
    with _connect(config, address, timeout) as smtp:
        if config.username:
            smtp.login(config.username, config.password.get_secret_value())
        refused = smtp.send_message(mail)
    return f"accepted, but refused for {', '.join(refused)}" if refused else "accepted"


def _connect(config: Config, address: str, timeout: float) -> smtplib.SMTP:
    kind = _SmtpOverTls if config.security == "tls" else _Smtp
    smtp = kind(timeout=timeout)
    smtp.address = address
    smtp._host = config.smtp_host  # type: ignore[attr-defined]  # what smtplib verifies certificates against
    code, greeting = smtp.connect(config.smtp_host, config.smtp_port)
    try:
        if code != 220:
            raise smtplib.SMTPConnectError(code, greeting)
        if config.security == "starttls":
            smtp.starttls(context=ssl.create_default_context())
    except OSError:
        smtp.close()
        raise
    return smtp


def by_code(error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> Exception:
    """SMTP's own distinction: 4xx may pass later, 5xx will not."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, answer = min(error.recipients.values())  # where one may be served later, all are tried again
        said = _said(code, answer)
    else:
        code, said = error.smtp_code, _said(error.smtp_code, error.smtp_error)
    return Rejected(said) if code >= 500 else Unavailable(said)


def _said(code: int, answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return f"{code} {' '.join(text.split())}"[:300]
