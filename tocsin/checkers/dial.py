"""Connections of checkers: under the outbound guard, and over in time whatever the other side does."""

import io
import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from http.client import HTTPException
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from tocsin.core.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from tocsin.core.outbound import Allowed

T = TypeVar("T")
R = TypeVar("R")
SHARE: Final = 0.9
AT_ONCE: Final = 16
KEPT_SECONDS: Final = 3_600


def reach(trusted: bool) -> "Allowed | None":
    """What a checker may connect to, by ``BaseChecker.trusted``; None is everywhere."""
    if trusted:
        return None
    from tocsin.core.outbound import allowed  # brings asyncio, which agents do without

    return allowed()


def deadline(timeout: float) -> float:
    """When, by the monotonic clock, a checker's own waiting ends, so that it can still say why."""
    return time.monotonic() + timeout * SHARE


def left(until: float) -> float:
    """Seconds until then. Raises TimeoutError where there are none."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def host_and_port(text: str, port: int | None = None) -> tuple[str, int]:
    """``host:port`` or ``[address]:port``, or a host alone where there is a usual port. Raises Rejected."""
    host, found, number = text.rpartition(":")
    if not found or "]" in number or (":" in host and not host.startswith("[")):
        host, number = text, "" if port is None else str(port)
    if not host or not number.isdecimal() or not 0 < int(number) < 65_536:
        raise Rejected(f"{text!r} is not of the form host:port")
    return host.strip("[]"), int(number)


@contextmanager
def unavailable(where: str) -> Iterator[None]:
    """What goes wrong on the network becomes Unavailable, in words."""
    try:
        yield
    except TimeoutError as error:
        raise Unavailable(f"{where} did not answer in time") from error
    except (OSError, EOFError, HTTPException) as error:
        raise Unavailable(f"{where}: {_why(error)}") from error


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {(error.reason or str(error)).lower().replace('_', ' ')}"
    return (
        getattr(error, "strerror", None) or " ".join(str(error).split())[:200] or "the connection was closed"
    )


class Connection:
    """A socket whose every wait ends at the same moment."""

    def __init__(self, sock: socket.socket, until: float, where: str) -> None:
        self.sock, self.until, self.where = sock, until, where

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self.sock.settimeout(left(self.until))
        self.sock.sendall(data)

    def recv(self, size: int = 65_536) -> bytes:
        """What has come; empty at the end."""
        self.sock.settimeout(left(self.until))
        return self.sock.recv(size)

    def read_until(self, found: Callable[[bytes], bool], most: int = 65_536) -> bytes:
        """What has come until it is enough, has ended or is too much."""
        heard = b""
        while not found(heard) and len(heard) < most and (piece := self.recv(4_096)):
            heard += piece
        return heard

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        """What comes, as a file."""
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Nothing: http.client calls it while there is still a body to read. The ``with`` closes."""

    def secured(self, context: ssl.SSLContext, server_name: str) -> "Connection":
        """The same, with TLS from here on."""
        self.sock.settimeout(left(self.until))
        self.sock = context.wrap_socket(self.sock, server_hostname=server_name)
        return self


class _Reader(io.RawIOBase):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._connection.recv(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def resolved(host: str, port: int, until: float, allow: "Allowed | None") -> list[str]:
    """The addresses of a host that may be reached. Raises Unavailable or Forbidden."""
    found = _looked_up(host, port, until)
    reachable = [address for address in found if allow is None or allow.permits(host, address)]
    if allow is not None and not reachable:
        allow.check(host, found[0])  # raises, in words
    return reachable


def _looked_up(host: str, port: int, until: float) -> list[str]:
    """The addresses of a name. In a thread of its own, as the system's resolver knows no timeout."""
    told: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            told.put(list(dict.fromkeys(str(entry[4][0]) for entry in entries)))
        except (OSError, UnicodeError) as error:
            told.put(error)

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    try:
        found = told.get(timeout=left(until))
    except (queue.Empty, TimeoutError):
        raise Unavailable(f"no name server answered in time about {host}") from None
    if isinstance(found, Exception):
        raise Unavailable(f"cannot resolve {host}: {getattr(found, 'strerror', None) or found}") from found
    return found


def dial(host: str, port: int, until: float, allow: "Allowed | None") -> Connection:
    """Connect to the first address that answers. Raises Unavailable or Forbidden."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    addresses = resolved(host, port, until, allow)
    with unavailable(where):
        for place, address in enumerate(addresses, 1):
            share = left(until) / (len(addresses) - place + 1)
            try:
                return Connection(socket.create_connection((address, port), share), until, where)
            except OSError:
                if place == len(addresses):
                    raise
    raise AssertionError("a host that resolved has an address")


def dial_path(path: str, until: float) -> Connection:
    """Connect to a Unix socket. Raises Unavailable."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with unavailable(path):
            sock.settimeout(left(until))
            sock.connect(path)
    except Unavailable:
        sock.close()
        raise
    return Connection(sock, until, path)


def tls_context(verify: bool, ca_file: str = "") -> ssl.SSLContext:
    """What a client checks of a server's certificate. Raises Rejected for a file that holds none.

    It is kept for an hour, or until the file changes: to read the system's authorities takes longer than
    most checks. Nobody may change it.
    """
    try:
        changed = os.stat(ca_file).st_mtime_ns if ca_file else 0
        return _context(verify, ca_file, changed, int(time.monotonic() // KEPT_SECONDS))
    except (OSError, ssl.SSLError) as error:
        raise Rejected(f"ca_file {ca_file}: {_why(error)}") from error


@lru_cache(maxsize=64)
def _context(verify: bool, ca_file: str, changed: int, hour: int) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def side_by_side(look: Callable[[T], R], things: Iterable[T]) -> list[R]:
    """Look at all of them at the same time, so that a dead one takes no time from the others."""
    wanted = list(things)
    with ThreadPoolExecutor(max_workers=min(len(wanted), AT_ONCE) or 1) as pool:
        return list(pool.map(look, wanted))
