"""A small mail server: takes mails, answers as it is told. No encryption, sign-in by PLAIN alone."""

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser


@dataclass
class Mail:
    """One mail as it was handed over."""

    sender: str
    recipients: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = BytesParser(policy=policy.default).parsebytes(self.content)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def part(self, kind: str) -> str:
        """The text or html part."""
        found = self.message.get_body((kind,))
        assert found is not None
        text: str = found.get_content()
        return text.replace("\r\n", "\n")


@dataclass
class MailServer:
    """``answers`` replaces the answer to a command, such as ``{"DATA": "451 later"}``; with ``silent``
    it accepts connections and says nothing."""

    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # by recipient, the answer
    signed_in: list[str] = field(default_factory=list)
    silent: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client hung up, or the test is over
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")

        if self.silent:
            await reader.read()
            return
        say(self.answers.get("CONNECT", "220 fake ESMTP"))
        mail = Mail("", [], b"")
        while line := (await reader.readline()).decode().strip():
            verb, _, rest = line.partition(" ")
            if verb.upper() == "DATA" and "DATA" not in self.answers:
                say("354 go on")
                mail.content = (await reader.readuntil(b"\r\n.\r\n"))[:-5].replace(b"\r\n..", b"\r\n.")
                said = self.answers.get("END", "250 taken")
                if said.startswith("250"):
                    self.mails.append(mail)
                say(said)
                mail = Mail("", [], b"")
            else:
                say(self._answer(verb.upper(), rest, mail))
            await writer.drain()
            if verb.upper() == "QUIT":
                return

    def _answer(self, verb: str, rest: str, mail: Mail) -> str:
        address = rest.partition("<")[2].partition(">")[0]
        if verb in self.answers:
            return self.answers[verb]
        if verb == "EHLO":
            return "250-fake\r\n250 AUTH PLAIN"
        if verb == "AUTH":
            self.signed_in.append(base64.b64decode(rest.split()[1]).decode())
            return "235 welcome"
        if verb == "MAIL":
            mail.sender = address
        elif verb == "RCPT":
            if address in self.refused:
                return self.refused[address]
            mail.recipients.append(address)
        return "221 bye" if verb == "QUIT" else "250 ok"


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A mail server on a free port, gone at the end."""
    here = MailServer()
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(here.serve, "127.0.0.1", 0))
    here.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
