"""Mail by any SMTP server: an HTML part and a text part, threaded by incident."""

import asyncio
import smtplib
import socket
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.core.outbound import allowed, resolve
from tocsin.core.templates import render
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import Message

COLOURS = {"critical": "#b3261e", "error": "#c2500a", "warning": "#946200", "info": "#1f63ad"}


class Config(BaseModel):
    smtp_host: str = Field(description="Mail server")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port")
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="How to encrypt")
    username: str = Field(default="", description="Sign in as; empty for a server that asks nothing")
    password: SecretStr = Field(default=SecretStr(""), description="Password of that user")
    sender: str = Field(description="From address")
    to: str = Field(description="To addresses, comma-separated")


class Driver(BaseDriver[Config]):
    """Sends one mail a message."""

    Config = Config
    concurrency = 4
    timeout = 30.0

    async def send(self, message: Message, http: Client) -> str:
        mail = compose(message, self.config)
        address = await resolve(self.config.smtp_host, self.config.smtp_port, allowed())
        try:
            return await asyncio.to_thread(self._hand_over, mail, address)
        except (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, OSError) as error:
            raise Unavailable(f"{self.config.smtp_host}:{self.config.smtp_port}: {error}") from error
        except smtplib.SMTPException as error:
            raise _by_code(error) from error

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
    smtp.connect(config.smtp_host, config.smtp_port)
    if config.security == "starttls":
        smtp.starttls(context=ssl.create_default_context())
    return smtp


def _by_code(error: smtplib.SMTPException) -> Exception:
    """SMTP's own distinction: 4xx may pass later, 5xx will not."""
    code = getattr(error, "smtp_code", 0)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code = max((code for code, _ in error.recipients.values()), default=0)
    said = " ".join(str(error).split())[:300]
    return Rejected(said) if code >= 500 else Unavailable(said)


def compose(message: Message, config: Config) -> EmailMessage:
    """The mail. Header values are set through the email package, which refuses line breaks."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(message.headline.split())[:200]
    mail["From"] = config.sender
    mail["To"] = config.to
    mail["Date"] = formatdate()
    domain = Address(addr_spec=config.sender.rpartition("<")[2].rstrip("> ")).domain
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    if message.incident_id is not None:  # mail programs show one thread an incident
        mail["References"] = f"<incident-{message.incident_id}@{domain}>"
    mail["X-Correlation-Id"] = message.trace_id
    values = {"message": message, "colour": COLOURS.get(message.severity, "#444444")}
    if message.kind == "resolved":
        values["colour"] = "#1c7a44"
    mail.set_content(render(__name__, "message.txt", **values))
    mail.add_alternative(render(__name__, "message.html", **values), subtype="html")
    return mail
