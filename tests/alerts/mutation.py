"""Malformed input by the hundred thousand: recorded payloads changed at random, and input made up.

Everything follows from a seed: who names it gets the same input again.
"""

import inspect
import re
import sys
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any, Final, TypeVar

import msgspec

from tocsin.alerts import document
from tocsin.alerts.decoding import UNREADABLE
from tocsin.core.errors import Rejected

T = TypeVar("T")

WORDS: Final = (
    "alerts", "labels", "annotations", "status", "state", "severity", "name", "title", "alertname",
    "startsAt", "endsAt", "timestamp", "fingerprint", "url", "message", "host", "event", "data", "alert",
    "incident", "rule", "payload", "attachments", "text", "type", "id", "fields", "value", "key", "tags",
    "details", "priority", "action", "service", "description", "source", "time", "@id", "data.alert",
    "a.b.c", ".", "..", "",
)  # fmt: skip
TEXTS: Final = (
    "", " ", "\0", "\n", "\t\r\n", "é", "🔥", "\u202e", "\u2028", "\ufeff", "{", "[]", "{}", "null", "true",
    "<a>", "{EVENT.ID}", "$SERVICE", "*UNKNOWN*", "%host", "a=b&c", "a:b,c:d", ":", ",,,", "://", "http://",
    "[FIRING:1]", "[] ]", "] [", "OK", "ok", "firing", "resolved", "acknowledged", "closed", "critical",
    "P1", "sev0", "((((", "\\", '{"a": 1}', "[" * 70, "x" * 300, "ü" * 9_000, "a:" * 5_000, '"' * 20,
    "%ff%00", "&#0;", "]]>", "<nil>", "--",
)  # fmt: skip
NUMERALS: Final = (
    "0", "1", "-1", "2", "3", "٣", "²", "१२३", "1.0", "1e400", "nan", "inf", "9" * 20, "9" * 300, "1_000",
    "+5",
)  # fmt: skip
NUMBERS: Final = (
    0, 1, -1, 2, 3, 0.0, -0.0, 0.5, 1e-320, 1e308, -1e308, 10**9, 10**11, 10**14, 10**17, 10**18, 2**31,
    2**63, 2**64 - 1, -(2**63), 1795234620, 1795234620123, 253402300799, 253402300800, 253402300799000,
    253402300800000, -62135596801, 65536,
)  # fmt: skip
TIMES: Final = (
    "1795234620", "1795234620.5", "1795234620123", "9" * 12, "9" * 19, "9" * 20, "2026-11-21", "21 Nov 2026",
    "2026-11-21T04:15:00Z", "2026-11-21 04:15:00.123456789+05:30", "0001-01-01T00:00:00Z", "0000-00-00",
    "04:15", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-12-31 23:59:59 -1200",
    "21.11.2026 04:15", "10000-01-01T00:00:00Z", "Sat, 21 Nov 2026 04:15:00 +9999",
    "Sat, 21 Nov 99999 04:15:00", "2026-11-21T", "Sat,", "2026-02-30T25:61:61Z", "2026-11-21T04:15:00+99:99",
    "2026-11-21T04:15:00+01.75", "2026-W47-6", ",", "+", "GMT", 1e308, -1e308, 1e17, -1, True, 253402300799,
)  # fmt: skip
PIECES: Final = (
    b"", b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xfe\xff", b"\\ud800", b"\\u0000",
    b"1e999", b"9" * 30, b"NaN", b"null", b"[[[[", b"{{{{", b"[" * 2_000, b"]", b"}", b'"', b"'", b"<", b">",
    b"</", b"/>", b"&", b"&#0;", b"&#xD800;", b"&amp;", b"&x;", b"%00", b"%ff", b"%", b"=", b"==", b";",
    b"]]>", b"<!DOCTYPE a>", b'<?xml version="1.0" encoding="utf-16"?>',
    b'<?xml version="1.0" encoding="x"?>', b"<!--", b"<a>" * 70, b"\r\n\r\n", b"payload=", b'{"a":', b"[1,",
    b'"\\"', b",", b",,", b":", b"true", b"0x10", b"01", b".5", b"+1", b"-", b" ", b"\n", b"{}", b"[]",
)  # fmt: skip
_RUN: Final = re.compile(rb"[\w.+:-]+")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d.*|\d\d\.\d\d\.\d{4}.*|\d{9,}")
_LITERAL: Final = re.compile(r'"([^"\\\n{}()]{1,40})"')
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Mutator:
    """Makes inputs of what was recorded. ``words`` are what their reader looks for."""

    def __init__(self, seed: str, recorded: Sequence[bytes] = (), words: Sequence[str] = ()) -> None:
        self._random = Random(seed)
        self._recorded = recorded
        self._documents = [document for body in recorded if (document := _document(body))]
        self._words = words or WORDS

    def body(self) -> bytes:
        """An input: half of them are a recorded payload of which some places are changed."""
        way = self._random.random()
        if way < 0.55 and self._documents:
            return _encode(self.changed(_decode(self.pick(self._documents))))
        if way < 0.75 and self._recorded:
            return self.broken(self.pick(self._recorded))
        if way < 0.95:
            return _encode(self.made_up(self._below(5)))
        return b"".join(self._piece() for _ in range(self._below(12)))

    def pick(self, among: Sequence[T]) -> T:
        """One of these."""
        return among[self._below(len(among))]

    def once_in(self, times: int) -> bool:
        """True by chance."""
        return self._below(times) == 0

    def text(self) -> str:
        """A text that somebody may trip over, or waits for."""
        return self.pick(self._words if self.once_in(3) else TEXTS)

    def made_up(self, depth: int) -> Any:
        """Any JSON, no deeper than this, but for names with dots, which lead inwards now and then."""
        kind = self._below(9 if depth else 5)
        if kind < 2:
            return self.text()
        if kind == 2:
            return self.pick(NUMBERS)
        if kind < 5:
            return self.pick((None, True, False, "", {}, []))
        if kind == 5:
            return [self.made_up(depth - 1) for _ in range(self._below(4))]
        made: dict[str, Any] = {}
        for _ in range(self._below(8)):
            name, value = self._word(), self.made_up(depth - 1)
            if self.once_in(2):
                name, *inwards = name.split(".")
                for step in reversed(inwards):
                    value = {step: value}
            made[name] = value
        return made

    def changed(self, payload: Any) -> Any:
        """A payload of which a few places are gone, or hold something else."""
        for _ in range(1 + self._below(4)):
            if not isinstance(payload, dict | list) or not payload:
                return self.made_up(3)
            self._change(payload)
        return payload

    def broken(self, body: bytes) -> bytes:
        """A body of which some bytes were lost, doubled or replaced on the way."""
        for _ in range(1 + self._below(3)):
            start = self._below(len(body) + 1)
            end, how = start + self._below(40), self._below(5)
            if how == 0:
                body = body[:start] + body[end:]
            elif how == 1:
                body = body[:start] + self._piece() + body[end:]
            elif how == 2:
                body = body[:start]
            elif how == 3:
                body = body[:end] + body[start:]
            elif run := _RUN.search(body, start):
                body = body[: run.start()] + self._piece() + body[run.end() :]
        return body

    def _change(self, payload: Any) -> None:
        holder, key = self._place(payload)
        old, how = holder[key], self._below(10)
        if how == 0:
            del holder[key]
        elif how == 1:
            holder[key] = self.made_up(2)
        elif how < 4:
            holder[key] = self._like(old)
        elif how == 4:
            holder[key] = self.pick(([old], [old, old], {self._word(): old}, _encode(old).decode()))
        elif how == 5:
            other, there = self._place(payload)
            holder[key] = _decode(_encode(other[there]))
        elif how == 6 and isinstance(holder, dict):
            holder[self._word()] = holder.pop(key)
        elif how == 7 and isinstance(holder, dict):
            holder[self._word()] = self.made_up(1)
        else:
            holder[key] = self._retold(old) if isinstance(old, str) else str(old)

    def _like(self, old: object) -> Any:
        """Something that may pass for the same kind of value."""
        if _TIME.fullmatch(str(old)):
            return self.pick(TIMES)
        if isinstance(old, int | float) or (isinstance(old, str) and old.isdecimal()):
            return self.pick(self.pick((NUMBERS, NUMERALS)))
        return self.text()

    def _place(self, payload: Any) -> tuple[Any, Any]:
        """A place within: what holds it, and its key there."""
        holder = payload
        while True:
            key = self.pick(list(holder)) if isinstance(holder, dict) else self._below(len(holder))
            inner = holder[key]
            if not isinstance(inner, dict | list) or not inner or self.once_in(5):
                return holder, key
            holder = inner

    def _retold(self, text: str) -> str:
        """A text changed somewhere; within, where it holds JSON."""
        if text[:1] in ("{", "[") and (inner := _within(text)):
            return _encode(self.changed(inner)).decode()
        start = self._below(len(text) + 1)
        return text[:start] + self.text() + text[start + self._below(8) :]

    def _word(self) -> str:
        return self.pick(self._words if self.once_in(2) else WORDS)

    def _piece(self) -> bytes:
        return self.pick(self._words).encode() if self.once_in(3) else self.pick(PIECES)

    def _below(self, limit: int) -> int:
        return int(self._random.random() * limit)  # a third of the time that randrange takes


@cache
def words_of(plugin: type) -> list[str]:
    """What a plug-in's source has in quotes: the names and the values that it looks for."""
    ours = [name for name in sys.modules if f"{name}.".startswith(f"{plugin.__module__}.")]
    found = {word for name in ours for word in _LITERAL.findall(inspect.getsource(sys.modules[name]))}
    return sorted(found | {step for word in found for step in word.split(".")})


@cache
def _document(body: bytes) -> bytes:
    """A payload as JSON, whatever it was recorded in; empty where it cannot be read."""
    try:
        return _encode(document.read(body))
    except Rejected:
        return b""


def _within(text: str) -> Any:
    try:
        return _decode(text)
    except UNREADABLE:
        return None
