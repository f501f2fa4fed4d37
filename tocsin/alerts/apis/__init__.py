"""Other systems' own protocols of sending alerts, so that their clients work unmodified: one file each.
Pure: a request in, alerts and the answer out.

To add one, write ``<name>.py`` with an ``Api`` and put a recorded body beside what it should give
under ``tests/fixtures/apis/<name>/``. Nothing else changes.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec

from tocsin.alerts import document
from tocsin.alerts.document import Part
from tocsin.alerts.events import Reading
from tocsin.core.errors import Rejected
from tocsin.core.registry import Registry

PREFIX: Final = r"(?:/[\w.~-]+)*?"  # clients may be given a URL with a path of its own before the protocol's
APART: Final = frozenset({"alertmanager"})  # the door has a way of its own for the one that is hot


class Request(msgspec.Struct):
    """What a client sent; ``match`` is that of ``BaseApi.paths``, header names are in small letters.
    ``mapping`` is that of the source whose token came with it: empty where it has none, None where no
    source is known by that token. ``made`` says, once it is kept, that it made something new."""

    method: str
    path: str
    match: re.Match[str]
    headers: Mapping[bytes, bytes]
    query: Mapping[str, str]
    now: datetime
    body: bytes = b""
    mapping: dict[str, Any] | None = None
    made: bool = False
    _read: Any = msgspec.UNSET

    def header(self, name: str) -> str:
        """A header's value; empty where it was not sent."""
        return self.headers.get(name.encode(), b"").decode("latin-1").strip()

    def document(self) -> Part:
        """The body, decoded once; see ``document.read``. Raises Rejected where it is no object."""
        if self._read is msgspec.UNSET:
            self._read = document.read(self.body)
        if not isinstance(self._read, dict):
            raise Rejected("expected a JSON object")
        return Part(self._read)


class Answer(msgspec.Struct):
    """What a client is told: ``content`` as JSON, bytes as plain text, or no body where it is None."""

    status: int
    content: Any = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """Why a request was not taken: its status, a word for programs, a sentence for people."""

    status: int
    code: str
    message: str
    trace: str


class BaseApi(ABC):
    """Reads and answers one system's protocol."""

    paths: ClassVar[re.Pattern[str]]
    """The whole path, what it names in groups."""
    methods: ClassVar[frozenset[str]] = frozenset({"POST"})
    source: ClassVar[str]
    """What its alerts say they come from."""

    def takes(self, method: str, path: str) -> re.Match[str] | None:
        """How a request fits this protocol; None where it does not."""
        return self.paths.fullmatch(path) if method in self.methods else None

    def key(self, request: Request) -> str:
        """The credential that its clients carry elsewhere than in a Bearer or Basic header."""
        return ""

    def address_is_secret(self, request: Request) -> bool:
        """Whether who knows the address needs no key. What it tells is then kept only where the address
        is known; see ``Told.trusted``."""
        return False

    @abstractmethod
    def read(self, request: Request) -> Reading:
        """The alerts of a request. Raises Rejected, which says what is wrong and where."""

    @abstractmethod
    def accepted(self, request: Request, reading: Reading, trace: str) -> Answer:
        """The answer once the alerts are on disk."""

    @abstractmethod
    def refused(self, request: Request, refusal: Refusal) -> Answer:
        """The answer to a request that was not taken, in the protocol's own shape."""


def identity(*parts: str) -> str:
    """A fingerprint made of what a protocol tells alerts apart by. Keys among it cannot be read back."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


apis: Registry[BaseApi] = Registry(__name__, BaseApi)


def protocols() -> list[BaseApi]:
    """One of each, for the door to ask in turn."""
    return [apis.get(name)() for name in apis.names() if name not in APART]
