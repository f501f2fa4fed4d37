"""Mail by any SMTP server or by SendGrid: an HTML part and a text part, threaded by incident."""

import asyncio
import smtplib
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from functools import cached_property, partial
from typing import Final

from tocsin.core.errors import Rejected, Unavailable, Unclear
from tocsin.core.http import Client
from tocsin.core.outbound import allowed, resolve
from tocsin.core.templates import render
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.drivers.email import sendgrid, smtp
from tocsin.notify.drivers.email.config import Config
from tocsin.notify.message import ACKNOWLEDGED, RESOLVED, Message
from tocsin.notify.wording import cut, links

COLOURS: Final = {"critical": "#b3261e", "error": "#b84a06", "warning": "#8a5a00", "info": "#1f63ad"}
GREEN, GREY = "#1c7a44", "#57606a"


class Driver(BaseDriver[Config]):
    """Sends one mail a message."""

    Config = Config
    concurrency = 4
    timeout = 30.0
    folds = True

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        """Its own: a mail server that hangs must not take those that others resolve names with."""
        return ThreadPoolExecutor(self.concurrency, thread_name_prefix="mail")

    async def send(self, message: Message, http: Client) -> str:
        mail = compose(message, self.config)
        if not self.config.smtp_host:
            return await sendgrid.send(mail, self.config, http, self.timeout)
        address = await resolve(self.config.smtp_host, self.config.smtp_port, allowed())
        handover = smtp.Handover(self.config, address, self.timeout)
        try:
            async with asyncio.timeout(self.timeout):
                work = partial(handover.give, mail)
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            raise smtp.by_code(error) from error
        except (smtplib.SMTPNotSupportedError, UnicodeError) as error:
            raise Rejected(f"{self.config.smtp_host}: {error}") from error
        except OSError as error:  # also smtplib's own errors, and the time that ran out
            why = str(error) or f"no end within {self.timeout:g} s"
            kind = Unclear if handover.done else Unavailable
            raise kind(f"{self.config.smtp_host}:{self.config.smtp_port}: {why}") from error
        except ValueError as error:  # smtplib could not read what it was asked
            raise Unavailable(f"{self.config.smtp_host}: {error}") from error
        finally:
            handover.end()


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
    values = {"message": message, "colour": _colour(message), "links": links(message), "cut": cut}
    mail.set_content(render(__name__, "message.txt", **values))
    mail.add_alternative(render(__name__, "message.html", **values), subtype="html")
    return mail


def _colour(message: Message) -> str:
    """Dark enough for white letters on it."""
    if message.kind == RESOLVED:
        return GREEN
    return GREY if message.kind == ACKNOWLEDGED else COLOURS.get(message.severity, GREY)
