"""Which alerts are meant: matchers on labels, as Alertmanager and amtool write them.

Two grammars: the classic one, where values may stand without quotes and hold spaces, and the UTF-8
one, where names may be quoted too. Where a text can be read by both and they differ the classic one
wins, so that what was written for an old Alertmanager keeps its meaning.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Literal, TypeVar

import msgspec
import re2  # type: ignore[import-untyped]

from tocsin.core.errors import Rejected

T = TypeVar("T")
Operator = Literal["=", "!=", "=~", "!~"]
EQUAL: Final = "="
NOT_EQUAL: Final = "!="
REGEX: Final = "=~"
NOT_REGEX: Final = "!~"
OPERATORS: Final[tuple[Operator, ...]] = (EQUAL, NOT_EQUAL, REGEX, NOT_REGEX)
_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_RESERVED: Final = frozenset(_SPACE + "{}!=~,\\\"'`")


class Matcher(msgspec.Struct, frozen=True):
    """One condition on one label. A label that an alert lacks counts as empty."""

    name: str
    operator: Operator
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet the condition."""
        return self.accepts(labels.get(self.name, ""))

    def accepts(self, value: str) -> bool:
        """Whether a label of this value meets the condition."""
        if self.operator == EQUAL:
            return value == self.value
        if self.operator == NOT_EQUAL:
            return value != self.value
        found = _compiled(self.value).search(value) is not None
        return found if self.operator == REGEX else not found

    @property
    def is_regex(self) -> bool:
        """Whether its value is a pattern."""
        return self.operator in (REGEX, NOT_REGEX)

    @property
    def is_equal(self) -> bool:
        """Whether it asks for its value rather than for another."""
        return self.operator in (EQUAL, REGEX)

    def __str__(self) -> str:
        if _RESERVED.isdisjoint(self.name):
            return f"{self.name}{self.operator}{_quoted(self.value)}"
        return f"{_quoted(self.name)}{self.operator}{_quoted(self.value)}"


def matcher(name: str, operator: str, value: str) -> Matcher:
    """A checked matcher. Raises Rejected for a name, an operator or a pattern that cannot be."""
    if operator not in OPERATORS:
        raise Rejected(f"unknown operator {operator!r}: use one of {' '.join(OPERATORS)}")
    if not name:
        raise Rejected('invalid label name ""')
    made = Matcher(name, operator, value)
    if made.is_regex:
        _compiled(value)
    return made


def match_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether labels meet every condition; none at all is met by any."""
    return all(matcher.matches(labels) for matcher in matchers)


def to_text(matchers: Iterable[Matcher]) -> str:
    """Matchers as people write them: ``{alertname="HighCPU",instance=~"web-.*"}``."""
    return "{" + ",".join(map(str, matchers)) + "}"


def to_json(matcher: Matcher) -> dict[str, Any]:
    """A matcher in the shape of Alertmanager's API."""
    return {
        "isEqual": matcher.is_equal,
        "isRegex": matcher.is_regex,
        "name": matcher.name,
        "value": matcher.value,
    }


def from_json(given: Mapping[str, Any]) -> Matcher:
    """A matcher from that shape, where ``isEqual`` may be missing. Raises Rejected."""
    equal, regex = given.get("isEqual", True), given["isRegex"]
    operator = (REGEX if regex else EQUAL) if equal else (NOT_REGEX if regex else NOT_EQUAL)
    return matcher(given["name"], operator, given["value"])


_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> Any:
    """A pattern that matches whole values only. RE2's time grows with the text alone."""
    try:
        re2.compile(pattern, _OPTIONS)  # alone: "a)|(b" is none, though it is one between brackets
        return re2.compile(f"^(?:{pattern})$", _OPTIONS)
    except (re2.error, UnicodeEncodeError) as error:
        raise Rejected(f"error parsing regexp: {_why(error)}: `^(?:{pattern})$`") from error


def _why(error: Exception) -> str:
    told = error.args[0] if error.args else error
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'


# Both grammars, and which of them counts.


def parse(text: str) -> list[Matcher]:
    """Read any number of matchers, with or without braces. Raises Rejected."""
    return _by_both(text, parse_utf8, parse_classic)


def parse_one(text: str) -> Matcher:
    """Read one matcher, without braces. Raises Rejected."""
    if text.startswith("{") or text.endswith("}"):
        raise Rejected(f"unexpected open or close brace: {text}")
    return _by_both(text, _one_utf8, _one_classic)


def _by_both(text: str, utf8: Callable[[str], T], classic: Callable[[str], T]) -> T:
    try:
        return classic(text)
    except Rejected:
        try:
            return utf8(text)
        except Rejected:
            pass
        raise


_CLASSIC: Final = re.compile(
    r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)[\t\n\f\r ]*(.*?)[\t\n\f\r ]*", re.S
)
_CLASSIC_ESCAPES: Final = {"n": "\n", '"': '"', "\\": "\\"}


def parse_classic(text: str) -> list[Matcher]:
    """Read matchers by the classic grammar alone. Raises Rejected."""
    return [_one_classic(part) for part in _classic_parts(text.removeprefix("{").removesuffix("}"))]


def _classic_parts(text: str) -> Iterator[str]:
    """What stands between commas outside of quotes; nothing after the last comma is no part."""
    quoted, escaped, begin = False, False, 0
    for place, letter in enumerate(text):
        if letter == "," and not quoted:
            yield text[begin:place]
            begin = place + 1
        elif letter == '"' and not escaped:
            quoted = not quoted
        if letter != "," or quoted:
            escaped = letter == "\\" and not escaped
    if text[begin:].strip(_SPACE):
        yield text[begin:]


def _one_classic(text: str) -> Matcher:
    found = _CLASSIC.fullmatch(text)
    if found is None:
        raise Rejected(f"bad matcher format: {text}")
    name, operator, raw = found.groups()
    return matcher(name, operator, _classic_value(raw))


def _classic_value(raw: str) -> str:
    wrong = Rejected(f"matcher value contains unescaped double quote: {raw}")
    inner = raw
    if raw.startswith('"'):
        inner = raw[1:-1]
        if len(raw) < 2 or not raw.endswith('"') or _escaped_end(inner):
            raise wrong
    value, place = [], 0
    while place < len(inner):
        letter = inner[place]
        if letter == '"':
            raise wrong
        if letter == "\\" and place + 1 < len(inner):
            place += 1
            letter = _CLASSIC_ESCAPES.get(inner[place], f"\\{inner[place]}")
        value.append(letter)
        place += 1
    return "".join(value)


def _escaped_end(inner: str) -> bool:
    """Whether an odd number of backslashes escapes what follows."""
    return (len(inner) - len(inner.rstrip("\\"))) % 2 == 1


_TOKEN: Final = re.compile(
    rf'(?P<space>[{_SPACE}]+)|(?P<mark>[{{}},])|(?P<operator>=~|=|!=|!~)|(?P<quoted>"(?:[^"\\]|\\.)*")'
    rf"|(?P<bare>[^{re.escape(''.join(sorted(_RESERVED)))}]+)",
    re.S,
)
_Token = tuple[str, str]
_END: Final = ("end", "")


def parse_utf8(text: str) -> list[Matcher]:
    """Read matchers by the UTF-8 grammar alone. Raises Rejected."""
    tokens = _Tokens(text)
    braced = tokens.accept("{")
    found: list[Matcher] = []
    while tokens.next[0] in ("bare", "quoted"):
        found.append(_matcher_of(tokens))
        if not tokens.accept(","):
            break
    if braced:
        tokens.expect("a closing brace", "}")
    tokens.expect("the end", "")
    return found


def _one_utf8(text: str) -> Matcher:
    found = parse_utf8(text)
    if len(found) != 1 or text.rstrip(_SPACE).endswith(","):
        raise Rejected(f"expected one matcher, found {len(found)}: {text}")
    return found[0]


def _matcher_of(tokens: "_Tokens") -> Matcher:
    name = _word(tokens.take("a label name", "bare", "quoted"))
    operator = tokens.take("an operator such as =, !=, =~ or !~", "operator")[1]
    return matcher(name, operator, _word(tokens.take("a label value", "bare", "quoted")))


class _Tokens:
    """What a text consists of, from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))

    @property
    def next(self) -> _Token:
        return self._tokens[0] if self._tokens else _END

    def take(self, wanted: str, *kinds: str) -> _Token:
        token = self.next
        if token[0] not in kinds:
            raise Rejected(f"expected {wanted}, got {token[1] or 'the end'}: {self._text}")
        self._tokens.pop(0)
        return token

    def accept(self, mark: str) -> bool:
        if self.next != ("mark", mark):
            return False
        self._tokens.pop(0)
        return True

    def expect(self, wanted: str, mark: str) -> None:
        if self.next != (("mark", mark) if mark else _END):
            raise Rejected(f"expected {wanted}, got {self.next[1] or 'the end'}: {self._text}")
        if mark:
            self._tokens.pop(0)


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise Rejected(f"unexpected {text[place]!r} at {place}: {text}")
        place = found.end()
        if found.lastgroup != "space":
            yield str(found.lastgroup), found[0]


_GO_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))", re.S
)
_GO_LETTERS: Final = {
    "a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\", '"': b'"'
}  # fmt: skip


def _word(token: _Token) -> str:
    kind, text = token
    if kind == "bare":
        return text
    inner = text[1:-1]
    if "\n" in inner:
        raise Rejected(f"a quoted text may not hold a line break: write \\n: {text}")
    return _unescaped(inner)


def _unescaped(inner: str) -> str:
    """A Go string literal's text; escapes may spell single bytes, which must come to UTF-8 in all."""
    parts: list[bytes] = []
    place = 0
    try:
        for found in _GO_ESCAPE.finditer(inner):
            parts += [inner[place : found.start()].encode(), _go_escape(found)]
            place = found.end()
        parts.append(inner[place:].encode())
        return b"".join(parts).decode()
    except (UnicodeError, ValueError, OverflowError) as error:
        raise Rejected(f'invalid escape or not UTF-8: "{inner}"') from error


def _go_escape(found: "re.Match[str]") -> bytes:
    letter, two_hex, octal, four_hex, eight_hex, _ = found.groups()
    if letter:
        return _GO_LETTERS[letter]
    if two_hex or octal:
        return bytes([int(two_hex, 16) if two_hex else int(octal, 8)])
    if four_hex or eight_hex:
        return chr(int(four_hex or eight_hex, 16)).encode()
    raise ValueError(found[0])
