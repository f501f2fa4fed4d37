"""Our log as systemd's journal has it, where Tocsin runs as a unit: what it wrote to standard error."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from tocsin.checkers import outside
from tocsin.core.errors import Unavailable
from tocsin.fleet.logs.line import Asked, Line, newest, parse

UNITS: Final = "tocsin*"
SECONDS: Final = 10.0
MOST_BYTES: Final = 32 << 20
LOOKED_AT: Final = 20_000
_PRIORITIES: Final = ("critical", "critical", "critical", "error", "warning", "info", "info", "debug")
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def read(unit: str, asked: Asked) -> list[Line]:
    """The newest lines of these units that were asked for. Raises Unavailable."""
    journalctl = outside.program("journalctl")
    if journalctl is None:
        raise Unavailable("TOCSIN_LOGS=journald: there is no journalctl here")
    try:
        said = outside.run(journalctl, *_arguments(unit or UNITS, asked), seconds=SECONDS, limit=MOST_BYTES)
        told = said.require(0, 1)  # it ends with 1 where no line matches, too
    except (OSError, RuntimeError) as error:
        raise Unavailable(f"TOCSIN_LOGS=journald: {error}") from error
    if said.code and said.err.strip():
        raise Unavailable(f"TOCSIN_LOGS=journald: {' '.join(said.err.split())[:300]}")
    texts = told.split("\n")[:-1]  # where it was cut, the last is no line
    lines = (line for text in texts if (line := _line(text)) is not None)
    return newest([line for line in lines if asked.wants(line)], asked.limit)


def _arguments(unit: str, asked: Asked) -> list[str]:
    """The time is told to the second, outwards; what is asked for is looked at again here."""
    given = ["--output=json", "--all", "--reverse", "--no-pager", "--quiet", f"--lines={LOOKED_AT}"]
    given.append(f"--unit={unit}")
    if asked.since is not None:
        given.append(f"--since=@{int(asked.since.timestamp())}")
    if asked.until is not None:
        given.append(f"--until=@{int(asked.until.timestamp()) + 1}")
    if asked.trace_id:
        given += [f"--grep={_literally(asked.trace_id)}", "--case-sensitive=true"]
    return given


def _literally(text: str) -> str:
    """A text as a pattern that matches it alone: letters and digits as they are, all else escaped."""
    return "".join(c if c.isalnum() else f"\\{c}" for c in text)


def _line(text: str) -> Line | None:
    try:
        entry = _decode(text)
        at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
    except (msgspec.DecodeError, KeyError, ValueError, OverflowError):
        return None
    said = _message(entry.get("MESSAGE"))
    # What is no JSON a library or Python itself wrote, as on a crash, or systemd told of the unit.
    return parse(said) or Line(at, _level(entry), str(entry.get("SYSLOG_IDENTIFIER", "")), said, "", {})


def _level(entry: dict[str, Any]) -> str:
    told = str(entry.get("PRIORITY", ""))
    return _PRIORITIES[int(told)] if told in set("01234567") else "info"


def _message(told: Any) -> str:
    """The message; one that is not UTF-8 comes as the numbers of its bytes."""
    if isinstance(told, list) and all(isinstance(part, int) and 0 <= part < 256 for part in told):
        return bytes(told).decode(errors="replace")
    return told if isinstance(told, str) else ""
