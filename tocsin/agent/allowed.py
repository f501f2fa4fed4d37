"""The commands that this machine's own configuration lets the hub ask for. Nothing else is ever run.

Loaded only where there are some: re2 takes more memory than all else that they need.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import re2  # type: ignore[import-untyped]

from tocsin.core.errors import Misconfigured, Rejected

TIMEOUT: Final = 60.0
LONGEST: Final = 86_400.0
LONGEST_VALUE: Final = 1_000
LONGEST_PATTERN: Final = 2_000  # as the hub takes them
LONGEST_DESCRIPTION: Final = 300
MOST: Final = 100
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ARGUMENT: Final = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_PLACE: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    argv: list[str]
    timeout: float = TIMEOUT
    arguments: dict[str, str] = {}
    description: str = ""


@dataclass(frozen=True)
class Allowed:
    """One command: what is run, for how long at most, and what each value must look like."""

    name: str
    argv: tuple[str, ...]
    timeout: float
    patterns: Mapping[str, str]
    description: str

    def __str__(self) -> str:
        within = "".join(f", {name} as {pattern}" for name, pattern in self.patterns.items())
        return f"{self.name}: {shlex.join(self.argv)}{within}, {self.timeout:g} s"

    def line(self, given: Mapping[str, str]) -> list[str]:
        """What is run, the values in their places. Raises Rejected for those that may not be there."""
        if given.keys() != self.patterns.keys():
            wanted = ", ".join(self.patterns) or "none"
            raise Rejected(f"its arguments are: {wanted}; given: {', '.join(map(_shown, given)) or 'none'}")
        for name, value in given.items():
            self._check(name, value)
        return [self._filled(item, given) for item in self.argv]

    def _check(self, name: str, value: str) -> None:
        if len(value) > LONGEST_VALUE:
            raise Rejected(f"{name}: longer than {LONGEST_VALUE} characters")
        if not value.isprintable():
            raise Rejected(f"{name}: {_shown(value)} holds what cannot be printed, such as a line's end")
        if re2.compile(self.patterns[name], _OPTIONS).fullmatch(value) is None:
            raise Rejected(f"{name}: {_shown(value)} does not match {self.patterns[name]}")

    @staticmethod
    def _filled(item: str, given: Mapping[str, str]) -> str:
        """All places at once: a value that looks like a place is none."""
        filled = _PLACE.sub(lambda place: given[place[1]], item)
        if filled.startswith("-") and not item.startswith("-"):
            raise Rejected(f"{_shown(filled)} would be read as an option")
        return filled


def read(tables: object, path: Path) -> dict[str, Allowed]:
    """The tables ``[commands.<name>]`` of a file. Raises Misconfigured, which says where."""
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise Misconfigured(f"{path}: commands: expected tables [commands.<name>]")
    if len(tables) > MOST:
        raise Misconfigured(f"{path}: commands: more than {MOST}")
    return {name: _allowed(name, table, f"{path}: [commands.{name}]") for name, table in tables.items()}


def _allowed(name: str, given: dict[str, Any], where: str) -> Allowed:
    if not _NAME.fullmatch(name):
        raise Misconfigured(f"{where}: a name is of letters, digits, dots, - and _, up to 64")
    try:
        table = msgspec.convert(given, _Table)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{where}: {error}") from error
    for wrong in _wrong(table):
        raise Misconfigured(f"{where}: {wrong}")
    description = table.description[:LONGEST_DESCRIPTION]
    return Allowed(name, tuple(table.argv), table.timeout, table.arguments, description)


def _wrong(table: _Table) -> list[str]:
    if not table.argv or not table.argv[0]:
        return ["argv: expected a program and its arguments"]
    if any("\0" in item for item in table.argv):
        return ["argv: holds a NUL"]
    if _PLACE.search(table.argv[0]):
        return ["argv: which program is run is not for the hub to say"]
    if not 0 < table.timeout <= LONGEST:
        return [f"timeout: expected seconds, up to {LONGEST:g}"]
    places = {place for item in table.argv for place in _PLACE.findall(item)}
    lacking = [f"argv: {{{place}}} is not among its arguments" for place in places - table.arguments.keys()]
    unused = [f"arguments.{name}: argv has no {{{name}}}" for name in table.arguments if name not in places]
    return [*lacking, *unused, *_wrong_patterns(table.arguments)]


def _wrong_patterns(patterns: Mapping[str, str]) -> list[str]:
    wrong = [f"arguments.{_shown(name)}: a name is of a-z, 0-9 and _, up to 64" for name in patterns
             if not _ARGUMENT.fullmatch(name)]  # fmt: skip
    for name, pattern in patterns.items():
        if len(pattern) > LONGEST_PATTERN:
            wrong.append(f"arguments.{name}: a pattern is of up to {LONGEST_PATTERN} characters")
        try:
            re2.compile(pattern, _OPTIONS)
        except (re2.error, UnicodeEncodeError) as error:
            wrong.append(f"arguments.{name}: {pattern} is no pattern: {error}")
    return wrong


def _shown(text: str) -> str:
    return repr(text[:80])
