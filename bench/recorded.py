"""Recorded payloads of the drivers as posts of one alert each, another alert with each post."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.limits import keep_good
from tocsin.core.errors import Rejected
from tocsin.core.labels import fingerprint

FIXTURES: Final = Path(__file__).parents[1] / "tests" / "fixtures" / "drivers"
TYPES: Final = {".xml": "application/xml", ".form": "application/x-www-form-urlencoded"}
_WORD: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_-]{3,}")
_FIRST, _SECOND = b"10000001", b"10000002"


@dataclass(frozen=True)
class Post:
    """A body in pieces: a number between them tells its alert from that of the next post."""

    kind: str
    pieces: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """The body of one post."""
        return _FIRST.join(self.pieces)

    @property
    def is_new(self) -> bool:
        """Whether each post holds a new alert, or always the same payload."""
        return len(self.pieces) > 1


def posts(name: str) -> list[Post]:
    """A driver's recorded payloads that begin one alert; where none does, all of them as they are."""
    payloads = list(_payloads(name))
    numbered = [post for kind, body in payloads if (post := _numbered(name, kind, body))]
    return numbered or [Post(kind, (body,)) for kind, body in payloads]


def _payloads(name: str) -> Iterator[tuple[str, bytes]]:
    for file in sorted((FIXTURES / name).glob("*")):
        if not file.name.endswith(".events.json"):
            yield TYPES.get(file.suffix, "application/json"), file.read_bytes()


def _numbered(name: str, kind: str, body: bytes) -> Post | None:
    """The body cut behind a word that its alert is known by: of those the longest, which is mostly an id."""
    begun = _begun(name, body)
    if begun is None:
        return None
    for word in sorted(set(_WORD.findall(body)), key=lambda word: (-len(word), word)):
        post = Post(kind, tuple(re.split(rb"(?<=\b%b)\b(?![_-])" % re.escape(word), body)))
        first, second = (_begun(name, number.join(post.pieces)) for number in (_FIRST, _SECOND))
        if first and second and _shape(first) == _shape(begun) and _known_by(first) != _known_by(second):
            return post
    return None


def _begun(name: str, body: bytes) -> AlertEvent | None:
    """The one alert of a body, where it is one that begins."""
    try:
        alerts = keep_good(drivers.get(name)().parse(body)).alerts
    except Rejected:
        return None
    return alerts[0] if len(alerts) == 1 and alerts[0].status == "firing" else None


def _shape(event: AlertEvent) -> tuple[object, ...]:
    """What stays the same where a word was a value, and does not where it was the name of a field."""
    return (*event.labels, None, *event.annotations, event.severity, event.starts_at, bool(event.fingerprint))


def _known_by(event: AlertEvent) -> str:
    return event.fingerprint or fingerprint(event.labels)
