"""A first guess at a mapping, from what a payload's fields are called. Values in, values out."""

import re
from collections.abc import Iterator
from typing import Any, Final

from tocsin.alerts import mapping, times
from tocsin.alerts.document import as_text
from tocsin.alerts.intake.limits import MAX_FINGERPRINT, keep_good
from tocsin.core import severity
from tocsin.core.errors import Rejected
from tocsin.core.labels import encode

DEEPEST, LOOKED_AT, MOST_FIELDS, SHORTEST_ID = 6, 20, 300, 16
# What fields are called that hold a part of an alert. The least deep is taken; of those the first named here.
PARTS: Final = {
    "name": "alertname title name subject headline check rule alert problem event summary message text",
    "status": "status state alertstate eventstate condition",
    "severity": "severity level priority prio criticality urgency",
    "starts_at": "startsat startedat start since timestamp time createdat at date",
    "link": "url link href permalink generatorurl",
    "fingerprint": "fingerprint dedupkey alertid eventid problemid incidentid uuid guid id",
}
LABELS: Final = {"instance": "instance host hostname server node device machine unit", "team": "team owner",
                 "service": "service app application component", "site": "site location region"}  # fmt: skip
ANNOTATIONS: Final = {"summary": "summary message", "description": "description text details body reason"}
NO_ALERTS: Final = "tags labels fields links annotations attachments contacts actions"
OVER: Final = "cleared clear ended end fixed restored recovery success passed done off"
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_Field = tuple[int, str, str, str]  # how deep it lies, what it is called, where it stands, what it holds


def suggest(payload: Any) -> dict[str, Any]:
    """A mapping that reads at least one alert from a payload; empty where nothing could be one."""
    guesses = sorted((_guess(*found) for found in _lists(payload, "")), key=lambda guess: -guess[0])
    return next((guess for _, guess in [*guesses, (0, {"name": "@"})] if _reads(guess, payload)), {})


def _reads(guess: dict[str, Any], payload: Any) -> bool:
    try:
        return bool(keep_good(mapping.checked(guess).read(payload)).alerts)
    except (Rejected, RecursionError):
        return False


def _lists(value: Any, where: str, deep: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """Each list of objects with where it stands; the payload itself is the last."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        yield where or "@", value[:LOOKED_AT]
    for key, inner in value.items() if isinstance(value, dict) and deep < DEEPEST else ():
        if key.lower() not in NO_ALERTS.split():
            yield from _lists(inner, _within(where, key), deep + 1)
    if not where:
        yield "@", value[:LOOKED_AT] if isinstance(value, list) else [value]


def _within(where: str, key: str) -> str:
    name = key if _PLAIN.fullmatch(key) else encode(key).decode()
    return f"{where}.{name}" if where else name


def _fields(value: Any, where: str, called: str = "", deep: int = 0) -> Iterator[_Field]:
    if isinstance(value, dict | list) and deep < DEEPEST:
        pairs = value.items() if isinstance(value, dict) else enumerate(value[:LOOKED_AT])
        for key, inner in list(pairs)[:MOST_FIELDS]:
            if isinstance(key, int):
                yield from _fields(inner, f"{where}[{key}]", "", deep + DEEPEST // 2)
            else:
                yield from _fields(inner, _within(where, key), re.sub(r"[\W_]", "", key).lower(), deep + 1)
    elif not isinstance(value, dict | list) and (text := as_text(value).strip()):
        yield deep, called, where or "@", text


def _guess(where: str, items: list[Any]) -> tuple[int, dict[str, Any]]:
    """How many parts were found by what they are called, and the mapping made of all that was found."""
    fields = [field for item in items for field in _fields(item, "")]
    parts = {part: at for part, names in PARTS.items() if (at := _at(names, fields, part))}
    more = {kind: {label: at for label, names in wanted.items() if (at := _at(names, fields, kind))}
            for kind, wanted in (("labels", LABELS), ("annotations", ANNOTATIONS))}  # fmt: skip
    words = {
        part: {text for *_, at, text in fields if at == parts.get(part)} for part in ("status", "severity")
    }
    more["statuses"] = {word: "resolved" for word in sorted(words["status"]) if word.lower() in OVER.split()}
    more["severities"] = {word: "warning" for word in sorted(words["severity"]) if not severity.known(word)}
    first = {"name": min(fields)[2] if fields else "@"} | ({"alerts": where} if where != "@" else {})
    return len(parts), {**first, **parts, **{kind: found for kind, found in more.items() if found}}


def _at(names: str, fields: list[_Field], part: str) -> str:
    order = names.split()
    found = [f for f in fields if f[1] in order and "[" not in f[2] and _serves(part, f[3])]
    return min(found, key=lambda f: (f[0], order.index(f[1])))[2] if found else ""


def _serves(part: str, text: str) -> bool:
    if part == "starts_at":
        try:
            return times.read(text) is not None
        except ValueError:
            return False
    if part == "fingerprint":  # a short one would be taken for another tool's
        return SHORTEST_ID <= len(text) <= MAX_FINGERPRINT
    return part != "link" or text.startswith(("http://", "https://"))
