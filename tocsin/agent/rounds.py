"""A round: what checks found at one time, as the hub takes it, and as a file in the spool."""

import re
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, Self

import msgspec

from tocsin.core.errors import TocsinError

FORMAT: Final = 1
MOST_ALERTS: Final = 500
MOST_BYTES: Final = 1_000_000 - 4_096  # of a post before gzip; the rest is what stands around the alerts
SUFFIX: Final = ".round"
_NAME: Final = re.compile(r"(\d{16})-(\d{1,12})-(\d{1,6})-(\d{1,6})\.round")
_LONGEST_HEAD: Final = 64
_HEAD: Final = re.compile(rb"tocsin-round (\d{1,6}) ([0-9a-f]{8})\n")


class Unreadable(TocsinError):
    """A file that holds no whole round."""


class Newer(TocsinError):
    """A file in a format of a later version."""


class Alert(msgspec.Struct):
    """One check's result. ``steady`` says that its status is what the round before had found."""

    check: str
    fingerprint: str
    name: str
    status: str
    severity: str
    started_at: datetime
    ended_at: datetime | None
    labels: dict[str, str]
    annotations: dict[str, str]
    metrics: dict[str, float]
    checked_at: datetime
    check_status: str
    steady: bool
    seq: int = 0


class Round(msgspec.Struct):
    """Results that share a number. Numbers only grow within a spool."""

    spool: str
    seq: int
    taken_at: datetime
    alerts: list[Alert]


class Filed(NamedTuple):
    """What a file's name tells of its round, so that a thousand files need not be opened."""

    seq: int
    taken_at: int  # seconds since 1970
    steady: int
    transitions: int

    @classmethod
    def of(cls, name: str) -> Self | None:
        """Of a file's name; None where it is not a round's."""
        found = _NAME.fullmatch(name)
        return cls(*map(int, found.groups())) if found else None

    @classmethod
    def about(cls, round: Round) -> Self:
        """Of a round."""
        steady = sum(alert.steady for alert in round.alerts)
        at = max(0, int(round.taken_at.timestamp()))
        return cls(round.seq, at, steady, len(round.alerts) - steady)

    @property
    def name(self) -> str:
        """Names sort by number."""
        return f"{self.seq:016}-{self.taken_at}-{self.steady}-{self.transitions}{SUFFIX}"


_decoder: Final = msgspec.json.Decoder(Round)


def encode(round: Round) -> bytes:
    """A file's content."""
    body = msgspec.json.encode(round)
    return b"tocsin-round %d %08x\n%s" % (FORMAT, zlib.crc32(body), body)


def decode(data: bytes) -> Round:
    """A round out of a file's content. Raises Unreadable, Newer."""
    head = _HEAD.match(data)
    if head is None:
        raise Unreadable("it does not begin as a round does")
    if int(head[1]) > FORMAT:
        raise Newer(f"format {int(head[1])}")
    body = data[head.end() :]
    if zlib.crc32(body) != int(head[2], 16):
        raise Unreadable("its checksum is wrong")
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Unreadable(str(error)) from error


def is_newer(path: Path) -> bool:
    """Whether a file is in a format of a later version."""
    try:
        with path.open("rb") as file:
            head = _HEAD.match(file.read(_LONGEST_HEAD))
    except OSError:
        return False
    return head is not None and int(head[1]) > FORMAT


def cut(alerts: Iterable[Alert]) -> Iterator[list[Alert]]:
    """In parts that a post can hold; none in one empty part."""
    part: list[Alert] = []
    size = 0
    for alert in alerts:
        more = len(msgspec.json.encode(alert)) + 1
        if part and (len(part) == MOST_ALERTS or size + more > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(alert)
        size += more
    yield part


def rounds(count: int) -> str:
    """So many of them, for people."""
    return f"{count} round" if count == 1 else f"{count} rounds"
