"""Just enough of Redis to ring over it: connect, log in, ask, hear what is published.

Blocking, for a thread of its own. A client library would bring a hundred times as much.
"""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from tocsin.core.errors import Misconfigured, Rejected

_SCHEMES: Final = ("redis", "rediss", "unix")
_LONGEST_ANSWER: Final = 65_536


@dataclass(frozen=True)
class Address:
    """Where a Redis is, and how to log in."""

    host: str  # or the path of its socket
    port: int  # 0 for a socket
    tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = "0"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


def address(url: str) -> Address:
    """Read ``redis[s]://user:password@host:port/0`` or ``unix://path``. Raises Misconfigured."""
    try:
        parts = urlsplit(url)
        port, host = parts.port or 6379, parts.hostname or "localhost"
        host.encode("idna")
    except ValueError:
        raise Misconfigured("REDIS_URL is no URL; it looks like redis://user:password@host:6379/0") from None
    if parts.scheme not in _SCHEMES:
        raise Misconfigured(f"REDIS_URL begins with one of {', '.join(f'{s}://' for s in _SCHEMES)}")
    login = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme == "unix":
        return Address(unquote(parts.path), 0, False, *login)
    return Address(host, port, parts.scheme == "rediss", *login, parts.path.strip("/") or "0")


class Redis:
    """One connection, logged in. Raises Rejected for what Redis refuses, OSError for all else."""

    def __init__(self, where: Address, timeout: float) -> None:
        self._timeout = timeout
        self._socket = _connected(where, timeout)
        try:
            if where.password:
                self.ask("AUTH", *filter(None, (where.user, where.password)))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, *words: str) -> None:
        """Send a command; returns once its answer has begun to come."""
        self._socket.settimeout(self._timeout)
        self._socket.sendall(_command(words))
        answer = self._received()
        if answer[:1] == b"-":
            raise Rejected(f"{words[0]}: {answer[1:200].decode('utf-8', 'replace').strip()}")
        if answer[:1] not in b"+:*$":
            raise ConnectionError("it does not speak Redis' protocol")

    def subscribe(self, channel: str) -> None:
        """Listen to a channel; nothing else but ``published`` may follow."""
        self.ask("SUBSCRIBE", channel)

    def published(self, quiet: float) -> bool:
        """Wait for something to be published; False when nothing was for so long and Redis still lives."""
        self._socket.settimeout(quiet)
        try:
            return b"message" in self._received()  # what it says does not matter
        except TimeoutError:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(_command(("PING",)))
            return b"message" in self._received()

    def _received(self) -> bytes:
        data = self._socket.recv(_LONGEST_ANSWER)
        if not data:
            raise ConnectionError("it hung up")
        return data

    def close(self) -> None:
        """Hang up; wakes a thread that waits in here."""
        with suppress(OSError):  # it is gone already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _connected(where: Address, timeout: float) -> socket.socket:
    if not where.port:
        return _unix(where.host, timeout)
    plain = socket.create_connection((where.host, where.port), timeout)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ssl.create_default_context().wrap_socket(plain, server_hostname=where.host) if where.tls else plain


def _unix(path: str, timeout: float) -> socket.socket:
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        plain.settimeout(timeout)
        plain.connect(path)
    except BaseException:
        plain.close()
        raise
    return plain


def _command(words: tuple[str, ...]) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)
