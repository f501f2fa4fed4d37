"""A line of our own log, and which ones are asked for. Values in, values out."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
MOST: Final = 1_000
_OURS: Final = ("timestamp", "level", "logger", "event", "trace_id")
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Line(msgspec.Struct, frozen=True):
    """One line. ``source`` is the module that wrote it, ``fields`` what else it told."""

    at: datetime
    level: str
    source: str
    event: str
    trace_id: str
    fields: dict[str, Any]


class Asked(msgspec.Struct, frozen=True):
    """What must hold of a line; empty where anything does."""

    trace_id: str = ""
    levels: frozenset[str] = frozenset()
    source: str = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100

    def wants(self, line: Line) -> bool:
        """Whether a line is one that was asked for. A package stands for all of its modules."""
        return (
            (not self.trace_id or line.trace_id == self.trace_id)
            and (not self.levels or line.level in self.levels)
            and (not self.source or f"{line.source}.".startswith(f"{self.source}."))
            and (self.since is None or line.at >= self.since)
            and (self.until is None or line.at <= self.until)
        )


def parse(text: bytes | str) -> Line | None:
    """A line as our processes write it; None for anything else, such as one that a full disk has cut."""
    try:
        told = _decode(text)
        at = datetime.fromisoformat(str(told["timestamp"]))
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, ValueError):
        return None
    return Line(
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        level=str(told.get("level", "")),
        source=str(told.get("logger", "")),
        event=str(told.get("event", "")),
        trace_id=str(told.get("trace_id", "")),
        fields={name: value for name, value in told.items() if name not in _OURS},
    )


def newest(lines: list[Line], limit: int) -> list[Line]:
    """The newest of them, newest first."""
    return sorted(lines, key=lambda line: line.at, reverse=True)[:limit]
