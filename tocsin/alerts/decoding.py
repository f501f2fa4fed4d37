"""Typed decoding of lists of alerts, which names the place of an error and keeps the good ones."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

from tocsin.alerts.events import AlertEvent, Problem, Reading
from tocsin.core.errors import Rejected

T = TypeVar("T")
# What a decoder raises for input that cannot be read: not JSON, not UTF-8, nested too deeply.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
LONGEST: Final = 400
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])


class Alerts(Generic[T]):
    """Decodes lists of one struct; when the list as a whole cannot be read, each item alone."""

    def __init__(self, struct: type[T], event: Callable[..., AlertEvent]) -> None:
        self._all = msgspec.json.Decoder(list[struct])  # type: ignore[valid-type]
        self._one = msgspec.json.Decoder(struct)
        self._event = event

    def read(self, body: bytes | msgspec.Raw, *context: object) -> Reading:
        """Read a JSON list; ``context`` is handed on to ``event``.

        Raises Rejected when it is no list, or none of its items can be read.
        """
        try:
            return Reading([self._event(item, *context) for item in self._all.decode(body)])
        except UNREADABLE as error:
            return self._each(body, context, error)

    def _each(self, body: bytes | msgspec.Raw, context: tuple[object, ...], cause: Exception) -> Reading:
        try:
            items = _raw_list.decode(body)
        except UNREADABLE as error:
            raise Rejected(str(error)) from error
        reading = Reading([], [])
        for index, item in enumerate(items):
            try:
                reading.alerts.append(self._event(self._one.decode(item), *context))
            except UNREADABLE as error:
                reading.errors.append(Problem(index, _told(error)))
        if not reading.alerts:
            raise Rejected(_told(cause))
        return reading


def _told(error: Exception) -> str:
    """A decoder's words, which begin with the value that was wrong, however long, and end with its place."""
    told = str(error)
    return told if len(told) <= LONGEST else f"{told[: LONGEST // 2]} … {told[-LONGEST // 2 :]}"
