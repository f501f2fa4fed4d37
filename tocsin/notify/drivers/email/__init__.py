"""Mail by any SMTP server: an HTML part and a text part, threaded by incident."""

import asyncio
import re
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import formatdate, getaddresses, parseaddr
from functools import cached_property
from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import allowed, resolve
from tocsin.core.templates import render
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import Message

_ADDRESS: Final = re.compile(r"[^@\s<>,;:]+@[^@\s<>,;:]+")
COLOURS = {"critical": "#b3261e", "error": "#c2500a", "warning": "#946200", "info": "#1f63ad"}


class Config(BaseModel):
    smtp_host: str = Field(description="Mail server")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port")
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="How to encrypt")
    username: str = Field(default="", description="Sign in as; empty for a server that asks nothing")
    password: SecretStr = Field(default=SecretStr(""), description="Password of that user")
    sender: str = Field(description="From address")
    to: str = Field(description="To addresses, comma-separated")

    @field_validator("sender", "to")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        found = getaddresses([value])
        if (
            not value.isprintable()
            or not found
            or not all(_ADDRESS.fullmatch(address) for _, address in found)
        ):
            raise ValueError("expected addresses such as ops@example.com or Ops <ops@example.com>")
        return value


class Driver(BaseDriver[Config]):
    """Sends one mail a message."""

    Config = Config
    concurrency = 4
    timeout = 30.0

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        """Its own: a mail server that hangs must not take those that others resolve names with."""
        return ThreadPoolExecutor(self.concurrency, thread_name_prefix="mail")

    async def send(self, message: Message, http: Client) -> str:
        mail = compose(message, self.config)
        address = await resolve(self.config.smtp_host, self.config.smtp_port, allowed())
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout):
                return await loop.run_in_executor(self._threads, self._hand_over, mail, address)
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            raise _by_code(error) from error
        except (smtplib.SMTPNotSupportedError, UnicodeError) as error:
            raise Rejected(f"{self.config.smtp_host}: {error}") from error
        except OSError as error:  # also smtplib's own errors, and the time that ran out
            why = str(error) or f"no end within {self.timeout:g} s"
            raise Unavailable(f"{self.config.smtp_host}:{self.config.smtp_port}: {why}") from error

    def _hand_over(self, mail: EmailMessage, address: str) -> str:
        with _connect(self.config, address, self.timeout) as smtp:
            if self.config.username:
                smtp.login(self.config.username, self.config.password.get_secret_value())
            refused = smtp.send_message(mail)
        return f"accepted, but refused for {', '.join(refused)}" if refused else "accepted"


class _Smtp(smtplib.SMTP):
    """Connects to the address that was checked; TLS still verifies the host's name."""

    address = ""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connected: socket.socket = super()._get_socket(self.address, port, timeout)  # type: ignore[misc]
        return connected


class _SmtpOverTls(smtplib.SMTP_SSL, _Smtp):
    """The same, encrypted from the first byte."""


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


def _by_code(error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> Exception:
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


def compose(message: Message, config: Config) -> EmailMessage:
    """The mail. Header values are set through the email package, which refuses line breaks."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(message.headline.split())[:200]
    mail["From"] = config.sender
    mail["To"] = config.to
    mail["Date"] = formatdate()
    domain = parseaddr(config.sender)[1].rpartition("@")[2]
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    if message.incident_id is not None:  # mail programs show one thread an incident
        mail["In-Reply-To"] = mail["References"] = f"<incident-{message.incident_id}@{domain}>"
    mail["X-Correlation-Id"] = message.trace_id
    values = {"message": message, "colour": COLOURS.get(message.severity, "#444444")}
    if message.kind == "resolved":
        values["colour"] = "#1c7a44"
    mail.set_content(render(__name__, "message.txt", **values))
    mail.add_alternative(render(__name__, "message.html", **values), subtype="html")
    return mail
