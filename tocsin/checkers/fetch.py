"""HTTP for checkers: guarded, bounded in time and size; what a server says of itself comes with it."""

import base64
import http.client
import ssl
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urljoin, urlsplit

import msgspec
from pydantic import Field, SecretStr

from tocsin.checkers import certificates
from tocsin.checkers.checks import Options
from tocsin.checkers.dial import Connection, dial, left, tls_context, unavailable
from tocsin.core import clock
from tocsin.core.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from tocsin.core.outbound import Allowed

MOST_REDIRECTS: Final = 10
_NO_SECRET: Final = SecretStr("")


class Request(Options):
    """What every checker that asks by HTTP takes."""

    url: str = Field(pattern=r"^https?://", description="What to ask for: http:// or https://")
    headers: dict[str, SecretStr] = Field(default={}, description="Headers to send, by name")
    username: str = Field(default="", description="User, where the server asks for one (basic)")
    password: SecretStr = Field(default=_NO_SECRET, description="Password of that user")
    token: SecretStr = Field(default=_NO_SECRET, description="Token, where the server asks for one (bearer)")
    verify: bool = Field(default=True, description="Whether the server's certificate must be trusted")
    ca_file: str = Field(default="", description="File of the authorities to trust; default: the system's")
    max_bytes: int = Field(
        default=1_048_576, gt=0, le=67_108_864, description="How much of an answer is read, in bytes"
    )

    def to_send(self) -> dict[str, str]:
        """Its headers, with what proves who asks."""
        given = {name: value.get_secret_value() for name, value in self.headers.items()}
        if self.username:
            pair = f"{self.username}:{self.password.get_secret_value()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"} | given
        if token := self.token.get_secret_value():
            return {"Authorization": f"Bearer {token}"} | given
        return given


class Answer(msgspec.Struct):
    """What a server said; ``cut`` where there was more of it."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    cut: bool
    took_ms: float
    days_left: float | None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


def fetch(
    asked: Request, until: float, allow: "Allowed | None",
    *, url: str = "", method: str = "GET", body: bytes = b"", follow: bool = True,
) -> Answer:  # fmt: skip
    """Ask, and follow redirects. Raises Unavailable, Forbidden or Rejected; any status is an answer.

    Headers go to the server that was asked, and to no other one that it names.
    """
    began, url, headers = time.monotonic(), url or asked.url, asked.to_send()
    context = tls_context(asked.verify, asked.ca_file) if url.startswith("https") or follow else None
    for _ in range(MOST_REDIRECTS):
        answer = _ask(url, method, headers, body, until, allow, context, asked.max_bytes)
        target = answer.headers.get("location", "")
        if not (follow and target and answer.status in (301, 302, 303, 307, 308)):
            answer.took_ms = round((time.monotonic() - began) * 1000, 3)
            return answer
        url, before = urljoin(url, target), url
        if _origin(url) != _origin(before):
            headers = {}
        if answer.status < 307 and method != "HEAD":
            method, body = "GET", b""
    raise Unavailable(f"{shown(asked.url)} redirects more than {MOST_REDIRECTS} times")


def shown(url: str) -> str:
    """A URL for people to read: without a query, which may hold a key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises Rejected."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Rejected("the URL has a port or a host that is none") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
        raise Rejected("the URL must begin with http:// or https://, name a host and hold no spaces")
    if parts.username or parts.password:
        raise Rejected("the URL holds a user or a password; they have options of their own")
    return parts.scheme, parts.hostname, port


def _ask(
    url: str, method: str, headers: Mapping[str, str], body: bytes, until: float, allow: "Allowed | None",
    context: ssl.SSLContext | None, most: int,
) -> Answer:  # fmt: skip
    scheme, host, port = _origin(url)
    with dial(host, port, until, allow) as connection, unavailable(connection.where):
        if scheme == "https" and context is not None:
            connection.secured(context, host)
        answer = exchange(
            connection, _path(url), method, {"Host": urlsplit(url).netloc, **headers}, body, most
        )
        answer.url, answer.days_left = url, _days_left(connection)
        return answer


def exchange(
    connection: Connection, path: str, method: str, headers: Mapping[str, str], body: bytes, most: int
) -> Answer:
    """One request on a connection. Raises OSError, HTTPException or Rejected."""
    client = http.client.HTTPConnection("", 0)
    client.sock = connection
    left(connection.until)
    client.request(method, path, body or None, _checked({"User-Agent": "Tocsin", **headers}))
    with client.getresponse() as response:
        heard = response.read(most + 1)
        if response.length and len(heard) <= most:
            raise EOFError("the answer ended early")
        given = {name.lower(): value for name, value in response.getheaders()}
        return Answer(path, response.status, given, heard[:most], len(heard) > most, 0, None)


def _checked(headers: Mapping[str, str]) -> dict[str, bytes]:
    """Headers as bytes. http.client would put what it refuses, which may be secret, into its message."""
    for name, value in headers.items():
        if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum() and value.isprintable()):
            raise Rejected(f"the header {name!r} or its value holds characters that it may not")
    return {name: value.encode() for name, value in headers.items()}


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _days_left(connection: Connection) -> float | None:
    if not isinstance(connection.sock, ssl.SSLSocket):
        return None
    shown_one = cast(bytes, connection.sock.getpeercert(True))
    return round(certificates.read(shown_one).days_left(clock.now()), 3)
