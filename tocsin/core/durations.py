"""Durations as people write and read them."""

import re
from typing import Final

from tocsin.core.errors import Rejected

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_PART: Final = re.compile(r"(\d{1,9})\s*([smhdw]?)\s*")
_SIZES: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def seconds(text: str) -> int:
    """A duration as people write it: ``90``, ``90s``, ``5m``, ``1h30m``, ``2 d``. Raises Rejected."""
    parts = _PART.findall(text.strip().lower())
    if not parts or _PART.sub("", text.strip().lower()):
        raise Rejected(f"{text[:40]!r} is no duration: give it as 90s, 5m, 1h30m or 2d")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def lasting(whole: int) -> str:
    """A duration for people: ``45 s``, ``1 h 30 min``."""
    words, left = [], whole
    for size, unit in _SIZES:
        if left >= size:
            words.append(f"{left // size} {unit}")
            left %= size
    if left or not words:
        words.append(f"{left} s")
    return " ".join(words)


def compact(whole: int | None) -> str:
    """The same as ``seconds`` reads it: ``1h30m``."""
    return lasting(whole).replace(" ", "").replace("min", "m") if whole else ""
