"""Times as monitoring tools write them. What is told without a zone is read as UTC."""

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Final

from tocsin.core import clock

_YEAR_FIRST: Final = r"(?P<year>\d{4})[-./](?P<month>\d\d?)[-./](?P<day>\d\d?)"
_DAY_FIRST: Final = r"(?P<d>\d\d?)\.(?P<m>\d\d?)\.(?P<y>\d{4})"
_CLOCK: Final = r"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
_ZONE: Final = r"(?P<zone>Z|[+-]\d\d(?:[:.]?\d\d)?)?(?:\s*(?:UTC|GMT|Z))?(?:\s+m=\S+)?"
_WRITTEN: Final = re.compile(
    rf"(?:{_YEAR_FIRST}|{_DAY_FIRST})(?:(?:T|,?\s+){_CLOCK}\s*{_ZONE})?", re.ASCII | re.I
)
_MACRO: Final = re.compile(r"[{$<*%].*")  # a placeholder that its sender did not fill in
_NUMBER: Final = re.compile(r"[0-9]{9,19}(?:\.[0-9]+)?", re.ASCII)
_UNITS: Final = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3))  # ns, µs, ms since 1970; else seconds


def read(value: object) -> datetime | None:
    """A moment, aware, in UTC; None where it was not given. Raises ValueError where it is no time."""
    if value is None or value == "" or value == 0 or value == "0":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"not a time: {str(value)[:60]!r}")
    try:
        return _text(value.strip()) if isinstance(value, str) else _epoch(float(value))
    except (ValueError, OverflowError, OSError, TypeError, IndexError) as error:
        raise ValueError(f"not a time: {str(value)[:60]!r}") from error


def _epoch(value: float) -> datetime:
    for least, parts in _UNITS:
        if abs(value) >= least:
            return datetime.fromtimestamp(value / parts, UTC)
    return datetime.fromtimestamp(value, UTC)


def _text(text: str) -> datetime | None:
    # The expression below takes ten times as long. An offset of +05.30 would be a fraction to the other.
    if text[10:11] in ("T", " ") and text[-3:-2] != ".":
        try:
            return clock.given(datetime.fromisoformat(text))
        except ValueError:
            pass
    if not text or _MACRO.fullmatch(text):
        return None
    if _NUMBER.fullmatch(text):
        return _epoch(float(text))
    if written := _WRITTEN.fullmatch(text):
        return clock.given(_moment(*written.groups()))
    try:
        return clock.given(parsedate_to_datetime(text))
    except ValueError:
        return clock.given(datetime.fromisoformat(text))


def _moment(*parts: str | None) -> datetime:
    year, month, day, d, m, y, hour, minute, second, fraction, zone = parts
    return datetime(
        int(year or y or 0), int(month or m or 0), int(day or d or 0),
        int(hour or 0), int(minute or 0), int(second or 0),
        int(f"{fraction or ''}000000"[:6]),
        _zone(zone or "Z"),
    )  # fmt: skip


def _zone(text: str) -> timezone:
    if text in "Zz":
        return UTC
    digits = re.sub(r"\D", "", text).ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
