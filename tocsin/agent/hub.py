"""The hub as an agent knows it: one kept connection, and answers by what they ask of the agent."""

import gzip
import hashlib
import hmac
import http.client
import select
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tocsin.agent.version import version
from tocsin.core.errors import Misconfigured, Rejected, Unavailable

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 30.0
WHOLE_SECONDS: Final = 60.0
MOST_ANSWER: Final = 1_000_000
LONGEST_RETRY_AFTER: Final = 300.0
PUSH: Final = "/alerts/webhook/cluster/"
COMMANDS: Final = "/api/fleet/commands/"


class Unfit(Rejected):
    """The hub does not take this batch; it may take others."""


class Refused(Rejected):
    """The hub takes nothing from this agent until somebody changes something; says what."""


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def document(self) -> dict[str, Any] | None:
        """Its JSON object; None where there is none, or not all of it."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except msgspec.DecodeError:
            return None

    def told(self) -> str:
        """Its message for people, in a line."""
        document = self.document() or {}
        message = document.get("message") or document.get("detail")
        return _short(message) if isinstance(message, str) else ""

    def __str__(self) -> str:
        return f"{self.status} {self.told()}".strip()


def _short(said: object) -> str:
    return "".join(c if c.isprintable() else " " for c in str(said))[:300]


@dataclass
class Connection:
    """To one server, kept from post to post. For one thread."""

    url: str
    authority: str = ""  # a file of certificates that vouch for it, instead of the system's
    _http: http.client.HTTPConnection | None = None
    _path: str = field(init=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        except ValueError as error:
            raise Misconfigured(f"HUB_URL={self.url} is no URL: {error}") from error
        if parts.scheme not in ("http", "https") or not self._host or not self.url.isprintable():
            raise Misconfigured(f"HUB_URL={self.url} must begin with http:// or https:// and name a host")
        self._tls = self._context() if parts.scheme == "https" else None

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.authority or None)
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(f"TOCSIN_HUB_CA={self.authority} cannot be used: {error}") from error

    def post(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Post and read the answer. Raises Unavailable where there was none."""
        if self._http is not None and _closed(self._http.sock):
            self.close()  # the server did not want to wait for our next round
        try:
            return self._exchange(path, headers, body)
        except ssl.SSLCertVerificationError as error:
            self.close()
            why = f"its certificate is not trusted ({error.verify_message})"
            raise Unavailable(f"{why}; TOCSIN_HUB_CA names the file of an authority of your own") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(_why(error)) from error

    def close(self) -> None:
        """Let go of the connection."""
        if self._http is not None:
            self._http.close()
        self._http = None

    def _exchange(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        made = self._http = self._http or self._connect()
        assert made.sock is not None
        # The timeout of a socket begins anew with each byte that drips in.
        overdue = threading.Timer(WHOLE_SECONDS, _hang_up, [made.sock])
        overdue.daemon = True
        overdue.start()
        try:
            made.request("POST", self._path + path, body, headers)
            response = made.getresponse()
            answer = Answer(response.status, response.headers, response.read(MOST_ANSWER))
        finally:
            overdue.cancel()
        if response.will_close or not response.isclosed():
            self.close()
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        assert self._host is not None
        if self._tls is None:
            made = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        else:
            made = http.client.HTTPSConnection(
                self._host, self._port, timeout=CONNECT_SECONDS, context=self._tls
            )
        made.connect()
        assert made.sock is not None
        made.sock.settimeout(ANSWER_SECONDS)
        return made


def _closed(connected: socket.socket | None) -> bool:
    """Whether the other side hung up; something to read before we asked is nothing else."""
    if connected is None:
        return True
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return bool(poll.poll(0))


def _hang_up(connected: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.RemoteDisconnected):
        return "it hung up without an answer"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class Hub:
    """Takes batches. With ``key`` it knows the agent by name, with ``secret`` as one of the cluster."""

    def __init__(self, url: str, *, key: str = "", secret: str = "", authority: str = "") -> None:
        self.url, self._key, self._secret = url, key, secret
        self._connection = Connection(url, authority)

    def push(self, document: bytes, now: datetime) -> str:
        """Post a batch; it is stored there when this returns. What the hub did not like of it, in a line, is
        returned. Raises Unavailable, Unfit, Refused."""
        body = gzip.compress(document, 6, mtime=0)
        answer = self._connection.post(PUSH, self._headers(body, now), body)
        if answer.status == 202 and (said := answer.document()) is not None:
            return _short(said["errors"]) if said.get("errors") else ""
        if answer.status == 202:  # http.client takes an answer that was cut off for a whole one
            raise Unavailable("its answer was cut off")
        if answer.status in (400, 413, 422):
            raise Unfit(str(answer))
        if answer.status in (408, 425, 429) or answer.status >= 500:
            raise Unavailable(f"it answers {answer}", _retry_after(answer, now))
        raise Refused(self._what_to_do(answer))

    def ask(self, document: bytes, now: datetime) -> bytes:
        """Ask for commands, as which the key alone counts; the answer. Raises Unavailable, Refused."""
        answer = self._connection.post(COMMANDS, self._usual() | self._by_key(), document)
        if answer.status == 200:
            return answer.body
        if answer.status in (408, 425, 429) or answer.status >= 500:
            raise Unavailable(f"it answers {answer}", _retry_after(answer, now))
        raise Refused(self._what_to_do(answer))

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    @staticmethod
    def _usual() -> dict[str, str]:
        return {"Content-Type": "application/json", "User-Agent": f"tocsin-agent/{version()}"}

    def _by_key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}

    def _headers(self, body: bytes, now: datetime) -> dict[str, str]:
        headers = self._usual() | {"Content-Encoding": "gzip"}
        if self._key:
            headers |= self._by_key()
        elif self._secret:
            at = str(int(now.timestamp()))
            signed = hmac.new(self._secret.encode(), at.encode() + b"." + body, hashlib.sha256)
            headers |= {"X-Tocsin-Timestamp": at, "X-Cluster-Signature": signed.hexdigest()}
        return headers

    def _what_to_do(self, answer: Answer) -> str:
        if answer.status in (401, 403):
            return f"{self._who_is_refused()} ({answer})"
        if answer.status == 404:
            return f"there is no hub at {self.url} ({answer}): set CLUSTER_ENABLED=1 there, and check HUB_URL"
        if 300 <= answer.status < 400:
            there = answer.headers.get("Location", "where it is")
            return f"it has moved ({answer.status}): set HUB_URL to {there}"
        return f"{self.url} answers {answer}, which no hub does: check HUB_URL"

    def _who_is_refused(self) -> str:
        if self._key:
            return f"it refuses this agent's key; enrol again: tocsin enroll --hub {self.url} --token …"
        if self._secret:
            return "it refuses the signature; WEBHOOK_SECRET_CLUSTER and the time must be as they are there"
        return "it wants to know who posts; set WEBHOOK_SECRET_CLUSTER, or run tocsin enroll"


def _retry_after(answer: Answer, now: datetime) -> float | None:
    """Seconds it asks to wait for; None where it does not."""
    said = (answer.headers.get("Retry-After") or "").strip()
    if said.isdecimal():
        seconds = float(said[:9])
    else:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - now.timestamp()
        except (ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER)
