"""Takes mail in: the alert that it tells is on disk before it is answered with 250."""

import asyncio
import logging
import warnings
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tocsin.alerts.listeners import mail
from tocsin.alerts.listeners.addresses import Bound
from tocsin.alerts.listeners.desk import Desk
from tocsin.alerts.listeners.keys import Keys, refuse_open_door
from tocsin.alerts.listeners.metrics import UP
from tocsin.core import log, tls
from tocsin.core.errors import Rejected, Unavailable

logger = log.get(__name__)

MOST_CONNECTIONS: Final = 100
SILENCE_SECONDS: Final = 60.0
LONGEST_LINE: Final = 64 * 1024  # the protocol has 1,000, and some tools do not keep to it
_COUNTED: Final = (b"535", b"552")  # answers that the library gives by itself


class Smtp:
    """One address. Recipients are not looked at: whatever is sent here is for us."""

    name = "smtp"

    def __init__(self, bound: Bound, desk: Desk, max_bytes: int) -> None:
        self._bound = bound
        self._desk = desk
        self._max_bytes = max_bytes
        self._keys = Keys()
        self._tls = tls.server_context()
        self._open: set[_Conversation] = set()
        # The library logs what it is told, line by line, secrets included.
        logging.getLogger("mail.log").setLevel(logging.ERROR)

    async def run(self) -> None:
        """Listen for as long as the address can be bound."""
        if not self._bound.to_loopback:
            await asyncio.to_thread(refuse_open_door, self._bound)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._conversation, self._bound.host, self._bound.port)
        UP.labels(self.name).set(1)
        logger.info("smtp.listening", host=self._bound.host, port=self._bound.port)
        try:
            await server.serve_forever()
        finally:
            server.close()
            for conversation in list(self._open):
                conversation.hang_up()

    def _conversation(self) -> "_Conversation":
        with warnings.catch_warnings():
            # Without a certificate a key crosses the network in the clear, as with HTTP; the docs say so.
            warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
            return _Conversation(self._desk, self._open, self, **self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "data_size_limit": self._max_bytes,
            "enable_SMTPUTF8": True,
            "ident": "Tocsin",
            "timeout": SILENCE_SECONDS,
            "auth_required": not self._bound.to_loopback,
            "tls_context": self._tls,
            "auth_require_tls": self._tls is not None and not self._bound.to_loopback,
            "authenticator": self._authenticate,
            "loop": asyncio.get_running_loop(),
        }

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object
    ) -> AuthResult:
        """The password is the key; the name may be any."""
        fits = isinstance(given, LoginPassword) and self._keys.fit(given.password)
        return AuthResult(success=fits, handled=False)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        try:
            await self._keys.refresh()
        except Unavailable as error:
            return [f"451 4.3.0 {error}"]
        return responses

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await self._answer(envelope.content if isinstance(envelope.content, bytes) else b"")
        self._desk.count(mail.SOURCE, int(answer[:3]))
        return answer

    async def _answer(self, content: bytes) -> str:
        try:
            reading = await asyncio.to_thread(mail.read, content)
            trace = await self._desk.store(mail.SOURCE, reading)
        except Rejected as error:
            return f"554 5.6.0 {_one_line(error)}"
        except Unavailable as error:
            return f"451 4.3.0 {_one_line(error)}"
        return f"250 2.0.0 taken in as {trace}"

    async def handle_exception(self, error: Exception) -> str:
        """What nobody foresaw: the sender keeps its mail and comes again."""
        logger.error("smtp.mail_failed", error=repr(error), exc_info=error)
        return "451 4.3.0 this could not be worked on; try again later"


class _Conversation(SMTP):
    """One connection."""

    line_length_limit = LONGEST_LINE

    def __init__(self, desk: Desk, others: "set[_Conversation]", handler: object, **options: Any) -> None:
        super().__init__(handler, **options)
        self._desk = desk
        self._others = others

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self._others) >= MOST_CONNECTIONS and isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 4.3.2 too many connections; try again later\r\n")
            transport.close()
            return
        self._others.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._others:
            self._others.discard(self)
            super().connection_lost(error)

    def hang_up(self) -> None:
        """End it at once; a mail that was not answered is the sender's to send again."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def push(self, status: str | bytes) -> None:
        answer = status.encode("ascii", "replace") if isinstance(status, str) else bytes(status)
        if answer.startswith(_COUNTED):
            self._desk.count(mail.SOURCE, int(answer[:3]))
        await super().push(answer)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
