"""A payload as plain values, whatever it was written in, and careful reading of them.

Senders put anything anywhere: a list where a map should be, a number for a name, half a form. A
``Part`` gives the value of the kind that was asked for, or nothing; it never raises for what it finds.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

import msgspec

from tocsin.alerts import times
from tocsin.alerts.decoding import UNREADABLE
from tocsin.core.errors import Rejected

MOST_FIELDS: Final = 1_000
MOST_SLOW: Final = 512 * 1024
DEEPEST: Final = 64
LONGEST_IDENTITY: Final = 64
_PLAIN: Final = (str, int, float)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def read(body: bytes) -> Any:
    """JSON, JSON in a JSON string or in a form's ``payload``, a form, or XML, as plain values.

    A form becomes a map of texts; XML a map from its root's tag, where an element without children is
    its text, and one that repeats a list. Raises Rejected for anything else, and for forms and XML of
    more than ``MOST_SLOW`` bytes: hostile ones would hold up everybody.
    """
    start = body.lstrip()[:1]
    if start == b"<" and len(body) > MOST_SLOW:
        raise Rejected(f"XML of more than {MOST_SLOW:,} bytes is not read")
    if start == b"<":
        return _xml(body)
    try:
        value = _decode(body)
    except UNREADABLE as error:
        form = _form(body)
        if form is None:
            meant = "not JSON" if start in (b"{", b"[", b'"') else "neither JSON, XML nor a form"
            raise Rejected(f"{meant}: {error}") from error
        return _unwrapped(form, body)
    return _within(value) if isinstance(value, str) else value


def _within(text: str) -> Any:
    try:
        return _decode(text)
    except UNREADABLE as error:
        raise Rejected(f"a JSON string that holds no JSON: {error}") from error


def _form(body: bytes) -> dict[str, str] | None:
    if len(body) > MOST_SLOW:
        return None
    head = body.split(b"=", 1)[0]
    if b"=" not in body or not head or any(byte <= 32 or byte in b'{}[]"' for byte in head):
        return None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except (ValueError, UnicodeDecodeError):
        return None


def _unwrapped(form: dict[str, str], body: bytes) -> Any:
    """Some senders put their JSON into a form's field ``payload``; some of them without encoding it."""
    if form.get("payload", "")[:1] not in ("{", "["):
        return form
    try:
        return _decode(body.strip().removeprefix(b"payload="))
    except UNREADABLE:
        return _within(form["payload"])


def _xml(body: bytes) -> dict[str, Any]:
    try:
        root = _parsed(body)
    except ParseError as error:
        # Some declare one encoding and write another.
        try:
            root = _parsed(body.decode().partition("?>")[2])
        except (ParseError, ValueError):
            raise Rejected(f"not XML: {error}") from error
    except (ValueError, LookupError) as error:
        raise Rejected(f"XML that is not taken: {error!r}") from error
    return {_tag(root): _element(root, DEEPEST)}


class _Tree(TreeBuilder):
    """Only a DOCTYPE can declare entities and foreign documents: a payload that has one is refused."""

    def doctype(self, *_: object) -> NoReturn:
        raise Rejected("XML that is not taken: it has a DOCTYPE")


def _parsed(text: bytes | str) -> Element:
    parser = XMLParser(target=_Tree())
    parser.feed(text)
    return parser.close()


def _element(element: Element, depth: int) -> Any:
    if depth == 0:
        raise Rejected(f"XML nested more than {DEEPEST} deep")
    text, attributes = (element.text or "").strip(), element.items()
    if not attributes and not len(element):
        return text
    found: dict[str, Any] = {f"@{name}": value for name, value in attributes}
    for child in element:
        value, tag = _element(child, depth - 1), _tag(child)
        if tag not in found:
            found[tag] = value
        elif isinstance(found[tag], list):
            found[tag].append(value)
        else:
            found[tag] = [found[tag], value]
    if text:
        found["text"] = text
    return found


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


class Part:
    """A map within a payload, read with care. Dots in a name lead inwards: ``data.alert.title``."""

    __slots__ = ("path", "value")

    def __init__(self, value: object, path: str = "") -> None:
        self.value: dict[str, Any] = value if isinstance(value, dict) else {}
        self.path = path

    def get(self, name: str) -> Any:
        """Whatever is there; None where nothing is."""
        found: Any = self.value.get(name)
        if found is not None or "." not in name or name in self.value:
            return found
        found = self.value
        for step in name.split("."):
            if not isinstance(found, dict):
                return None
            found = found.get(step)
        return found

    def has(self, *names: str) -> bool:
        """Whether each of these is there, whatever it holds."""
        return None not in map(self.get, names)

    def text(self, *names: str) -> str:
        """The first of these that holds a text or a number, as text without space around it."""
        for name in names:
            found = self.value.get(name)
            if found is None and "." in name:
                found = self.get(name)
            if found is not None and (told := (found if type(found) is str else _plain(found)).strip()):
                return told
        return ""

    def need(self, *names: str) -> str:
        """Such a text. Raises Rejected, which names the place, where there is none."""
        told = self.text(*names)
        if not told:
            raise Rejected(f"{self._at(names[0])}: expected a text")
        return told

    def moment(self, *names: str) -> datetime | None:
        """The first of these times that is given. Raises Rejected for one that is no time."""
        for name in names:
            try:
                moment = times.read(self.get(name))
            except ValueError as error:
                raise Rejected(f"{self._at(name)}: {error}") from error
            if moment is not None:
                return moment
        return None

    def part(self, name: str) -> "Part":
        """A map inside, or one written as JSON in a text; an empty one where there is none."""
        found = self.get(name)
        return Part(_unfolded(found) if isinstance(found, str) else found, self._at(name))

    def texts(self, name: str) -> list[str]:
        """The plain values of a list inside, as texts; one alone counts as a list of it."""
        found = self.get(name)
        told = [_plain(item).strip() for item in (found if isinstance(found, list) else [found])]
        return [text for text in told if text]

    def parts(self, name: str) -> "Iterator[Part]":
        """The maps of a list inside; one map alone counts as a list of it."""
        found, at = self.get(name), self._at(name)
        for place, item in enumerate(found if isinstance(found, list) else [found]):
            if isinstance(item, dict):
                yield Part(item, f"{at}[{place}]")

    def pairs(self, name: str = "") -> dict[str, str]:
        """The plain values of a map inside (or of this one) as texts; what is not plain as JSON."""
        found = self.get(name) if name else self.value
        if not isinstance(found, dict):
            return {}
        return {str(key): told for key, value in found.items() if (told := as_text(value))}

    def fields(self, *names: str) -> dict[str, str]:
        """Those of these that hold a text or a number, under their own names, as texts."""
        return {name: told for name in names if (told := self.text(name))}

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


def filled(pairs: dict[str, str]) -> dict[str, str]:
    """Those of these labels or annotations that tell something."""
    return {name: value for name, value in pairs.items() if value}


def tagged(words: Iterable[str]) -> dict[str, str]:
    """Tags written ``env:prod`` as labels; words without a value are none."""
    split = (word.partition(":") for word in words)
    return {name.strip(): value.strip() for name, _, value in split if name.strip() and value.strip()}


def identity(driver: str, *ids: str) -> str:
    """A fingerprint made of a source's own ids: readable where it is short, else a digest of them.
    Empty where one of them is missing."""
    if not all(ids):
        return ""
    told = ":".join((driver, *ids))
    if len(told) <= LONGEST_IDENTITY and told.isprintable():
        return told
    return f"{driver}:{hashlib.blake2b(told.encode(errors='replace'), digest_size=16).hexdigest()}"


def _unfolded(text: str) -> Any:
    try:
        return _decode(text) if text.lstrip().startswith("{") else None
    except UNREADABLE:
        return None


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, _PLAIN) else ""


def as_text(value: object) -> str:
    """Any value as a label or an annotation holds it: texts as they are, others as JSON; None is empty."""
    if isinstance(value, str):
        return value
    return "" if value is None else _encode(value).decode()
