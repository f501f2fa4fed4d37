"""Numbers of recorded entries in a theatre's journal: far apart, so that what happens between them there has
room in its place."""

from typing import Final

_ROOM: Final = 20  # bits


def stored(entry: int) -> int:
    """The number of a recorded entry there."""
    return entry << _ROOM


def recorded(number: int) -> int | None:
    """The entry that bears this number there; None for one that was made there."""
    entry = number >> _ROOM
    return entry if stored(entry) == number else None
