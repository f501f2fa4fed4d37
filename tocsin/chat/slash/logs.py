"""Tocsin's own log."""

from datetime import datetime
from typing import Any, Final

from tocsin.chat.blocks import plain, told
from tocsin.core.errors import TocsinError
from tocsin.fleet import logs
from tocsin.fleet.logs.line import LEVELS, Asked, Line

SHOWN: Final = 15


def newest(text: str, now: datetime) -> dict[str, Any]:
    """The newest lines; of a level, of a trace, or of a module."""
    try:
        found = _found(text)
    except TocsinError as error:
        return told([f"The log cannot be read: {plain(str(error), 400)}"])
    lines = [_line(line) for line in found]
    nothing = f"There is no line of {plain(text, 80)}." if text else "There is no line yet."
    return told(lines or [nothing], "Log")


def _found(text: str) -> list[Line]:
    if text.lower() in LEVELS or not text:
        return logs.read(Asked(levels=frozenset({text.lower()} - {""}), limit=SHOWN))
    of_trace = logs.read(Asked(trace_id=text, limit=SHOWN))
    return of_trace or logs.read(Asked(source=text, limit=SHOWN))


def _line(line: Line) -> str:
    more = " ".join(f"{name}={value}" for name, value in line.fields.items())
    trace = f" · `{plain(line.trace_id, 64)}`" if line.trace_id else ""
    return f"`{line.at:%m-%d %H:%M:%S}` {line.level} *{plain(line.event, 80)}* {plain(more, 200)}{trace}"
