"""What the journal tells: lines that match, since the last look."""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import re2  # type: ignore[import-untyped]
from pydantic import Field, field_validator

from tocsin.checkers.checks import UNKNOWN, BaseChecker, CheckResult, Thresholds
from tocsin.checkers.outside import Said, program, run
from tocsin.core.errors import Rejected

MOST_BYTES: Final = 8 << 20  # of one look; what is beyond is read by the next
FIELDS: Final = "MESSAGE,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER"
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False


class Entry(msgspec.Struct):
    """A line of ``journalctl --output=json``."""

    cursor: str = msgspec.field(name="__CURSOR")
    message: str | list[Any] | None = msgspec.field(name="MESSAGE", default=None)
    unit: str | list[Any] | None = msgspec.field(name="_SYSTEMD_UNIT", default=None)
    identifier: str | list[Any] | None = msgspec.field(name="SYSLOG_IDENTIFIER", default=None)

    @property
    def text(self) -> str:
        """The message; one that is not UTF-8 comes as the numbers of its bytes."""
        if isinstance(self.message, str):
            return self.message
        parts = self.message or []
        if all(isinstance(part, int) for part in parts):
            return bytes(parts).decode(errors="replace")
        return " ".join(map(str, parts))


class Config(Thresholds):
    warning: float = Field(default=1, description="How many matching lines are a warning")
    critical: float = Field(default=10, description="How many matching lines are critical")
    patterns: list[str] = Field(
        default=[], max_length=100, description="RE2 patterns of lines that count; without any, all do"
    )
    priority: Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] = Field(
        default="err", description="Lines of this priority and worse are looked at"
    )
    units: list[str] = Field(default=[], description="Only lines of these units")
    lookback: float = Field(default=300, ge=0, description="Seconds the first look goes back")
    cursor_file: str = Field(default="", description="Where to keep how far it has read, beyond this process")

    @field_validator("patterns")
    @classmethod
    def _compiles(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            try:
                re2.compile(pattern, _OPTIONS)
            except re2.error as error:
                raise ValueError(f"{pattern}: {error}") from None
        return patterns


class Checker(BaseChecker[Config]):
    """Counts journal lines since the last look, by pattern, priority and unit."""

    Config = Config
    _from = ""  # a cursor, or @ and a time as long as nothing has been read

    def check(self) -> CheckResult:
        journalctl = program("journalctl")
        if journalctl is None:
            return CheckResult("journal", UNKNOWN, "there is no journalctl")
        keep = Path(self.config.cursor_file) if self.config.cursor_file else None
        if keep is not None and not self.trusted:
            raise Rejected("cursor_file is only for those who may write to this machine's files")
        if keep is not None and keep.exists():
            self._from = keep.read_text().strip()
        said = self._read(journalctl)
        lines = said.require().split("\n")[:-1]  # where it was cut, the last is no whole line
        entries = [msgspec.json.decode(line, type=Entry) for line in lines]
        self._from = entries[-1].cursor if entries else self._from
        if keep is not None:
            _write(keep, self._from)
        return self._result(entries, said.cut)

    def _read(self, journalctl: str) -> Said:
        self._from = self._from or f"@{int(time.time() - self.config.lookback)}"
        said = run(journalctl, *self._asked(), seconds=self.config.timeout * 0.4, limit=MOST_BYTES)
        if said.code and "cursor" in said.err:
            self._from = ""  # not one of this journal's: begin anew
            return self._read(journalctl)
        return said

    def _asked(self) -> list[str]:
        return [
            "--output=json",
            f"--output-fields={FIELDS}",
            "--no-pager",
            "--quiet",
            f"--priority={self.config.priority}",
            *(f"--unit={unit}" for unit in self.config.units),
            f"--{'since' if self._from.startswith('@') else 'after-cursor'}={self._from}",
        ]

    def _result(self, entries: list[Entry], cut: bool) -> CheckResult:
        found, counts = self._matching(entries)
        metrics = {"lines": float(len(entries)), "matching_lines": float(len(found))}
        metrics |= {f"matching_lines[{pattern}]": float(counts[pattern]) for pattern in self.config.patterns}
        said = f"{len(found)} of {len(entries)} new lines match"
        if found:
            last = found[-1]
            said += (
                f", the last by {last.identifier or last.unit or '?'}: {' '.join(last.text.split())[:200]}"
            )
        said += "; there are more, for the next look" if cut else ""
        return CheckResult("journal", self.config.status(len(found)), said, metrics)

    def _matching(self, entries: Iterable[Entry]) -> tuple[list[Entry], Counter[str]]:
        if not self.config.patterns:
            return list(entries), Counter()
        compiled = {pattern: re2.compile(pattern, _OPTIONS) for pattern in self.config.patterns}
        found, counts = [], Counter[str]()
        for entry in entries:
            text = entry.text
            if hits := [pattern for pattern, wanted in compiled.items() if wanted.search(text)]:
                found.append(entry)
                counts.update(hits)
        return found, counts


def _write(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.replace(path)
