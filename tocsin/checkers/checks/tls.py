"""Whether certificates are trusted, and for how long still."""

import ssl
from typing import Final, Literal, cast

from pydantic import Field

from tocsin.checkers import certificates
from tocsin.checkers.certificates import Certificate
from tocsin.checkers.checks import CRITICAL, BaseChecker, CheckResult, Finding, Floors, summary
from tocsin.checkers.dial import (
    Connection,
    deadline,
    dial,
    host_and_port,
    reach,
    side_by_side,
    tls_context,
    unavailable,
)  # fmt: skip
from tocsin.core import clock
from tocsin.core.errors import Unavailable

Protocol = Literal["none", "smtp", "imap", "postgres"]
_PORTS: Final = {"none": 443, "smtp": 25, "imap": 143, "postgres": 5432}
_SSL_REQUEST: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


class Config(Floors):
    hosts: list[str] = Field(
        min_length=1, description="Servers, as host:port; a host alone means the usual port"
    )
    warning: float = Field(default=21, description="Days left below which it is a warning")
    critical: float = Field(default=7, description="Days left below which it is critical")
    server_name: str = Field(default="", description="Name to ask for and to expect; default: the host")
    starttls: Protocol = Field(default="none", description="Protocol that begins without TLS")
    verify: bool = Field(default=True, description="Whether the chain must be trusted and the name must fit")
    ca_file: str = Field(default="", description="File of the authorities to trust; default: the system's")


class Checker(BaseChecker[Config]):
    """Days until each server's certificate expires, and whether its chain and its name hold."""

    Config = Config

    def check(self) -> CheckResult:
        until, metrics = deadline(self.config.timeout), dict[str, float]()

        def look(host: str) -> list[Finding]:
            try:
                found, refusal = self._shown(host, until)
            except Unavailable as error:
                return [(CRITICAL, str(error))]
            days = found.days_left(clock.now())
            metrics[f"days_left[{host}]"] = round(days, 3)
            by = "itself" if found.self_signed else found.issuer
            told = f"{host} is certified by {by} for {days:.0f} more days"
            told = f"{host} has expired {-days:.0f} days ago" if days < 0 else told
            return [(self.config.status(days), told), *self._amiss(host, found, refusal)]

        looks = side_by_side(look, self.config.hosts)
        status, message = summary(
            [one for found in looks for one in found], "; ".join(f[0][1] for f in looks)
        )
        return CheckResult("tls", status, message, metrics)

    def _amiss(self, host: str, found: Certificate, refusal: str) -> list[Finding]:
        names = ", ".join(found.names[:3]) or "nobody"
        return [(CRITICAL, f"{host}: {refusal}; it is for {names}")] if refusal else []

    def _shown(self, host: str, until: float) -> tuple[Certificate, str]:
        """The certificate, and why it is not trusted; a second look is needed where it is not."""
        try:
            return self._read(host, until, self.config.verify), ""
        except ssl.SSLCertVerificationError as error:
            return self._read(host, until, False), error.verify_message

    def _read(self, host: str, until: float, verify: bool) -> Certificate:
        name, port = host_and_port(host, _PORTS[self.config.starttls])
        context = tls_context(verify, self.config.ca_file)
        with dial(name, port, until, reach(self.trusted)) as connection:
            try:
                with unavailable(connection.where):
                    _begin(connection, self.config.starttls)
                    connection.secured(context, self.config.server_name or name)
            except Unavailable as error:
                if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                    raise error.__cause__ from None
                raise
            return certificates.read(cast(bytes, cast(ssl.SSLSocket, connection.sock).getpeercert(True)))


def _begin(connection: Connection, protocol: Protocol) -> None:
    """Ask for TLS in a protocol that begins without."""
    if protocol == "smtp":
        _said(connection, b"220")
        connection.sendall(b"EHLO tocsin\r\n")
        _said(connection, b"250")
        connection.sendall(b"STARTTLS\r\n")
        _said(connection, b"220")
    elif protocol == "imap":
        _said(connection, b"* OK")
        connection.sendall(b"a STARTTLS\r\n")
        _said(connection, b"a OK")
    elif protocol == "postgres":
        connection.sendall(_SSL_REQUEST)
        if connection.recv(1) != b"S":
            raise EOFError("no STARTTLS: the server has no TLS")


def _said(connection: Connection, wanted: bytes) -> None:
    """Read an answer to its last line, in which no dash follows the number."""

    def ended(heard: bytes) -> bool:
        lines = heard.split(b"\r\n")
        return len(lines) > 1 and not lines[-1] and lines[-2][3:4] != b"-"

    heard = connection.read_until(ended)
    if not heard.startswith(wanted):
        raise EOFError(f"no STARTTLS: the server said {heard[:60].decode('ascii', 'replace').strip()!r}")
