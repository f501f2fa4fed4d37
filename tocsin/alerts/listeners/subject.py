"""What a mail's subject tells, in the words that monitoring tools use: values in, values out.

Stripped of the words that tell a state it is the alert's identity, so that a mail of recovery ends what
its mail of a problem began. Where in doubt a mail is a problem, so that people see it.
"""

import re
from typing import Final

from tocsin.alerts.events import Status
from tocsin.core import severity

# States.
_HEADS: Final = re.compile(r"^([^:\]|\[]{1,60})[:|]|\[([^\]]*)\]")
_SHOUTED: Final = re.compile(r"\W*([A-Z]{2,})\b")
_THING: Final = r"\b(?:alert|incident|problem|issue|ticket|case|alarm|event)\b"
_NOT: Final = r"(?<!not )(?<!NOT )(?<!never )"
_OVER_IN_HEAD: Final = re.compile(
    rf"{_NOT}\b(?:resolved|recovered|recovery|cleared|clear|solved|fixed)\b"
    rf"|^\W*(?:{_THING}.*)?\bclosed\W*$|^\W*(?:up|ok)\W*$",
    re.I,
)
_OVER_ANYWHERE: Final = re.compile(
    rf"{_NOT}\b(?:resolved|recovered|cleared|back to normal)\b|{_THING}.{{0,60}}{_NOT}\bclosed\b", re.I
)
_FINE: Final = re.compile(
    rf"{_NOT}\b(?:UP|O[Kk]|(?i:succeeded|success|successful|successfully|fixed|restored))\b"
    r"|\b(?i:is|are|now|back|state|status)\W{1,3}(?i:up|ok|online|normal|healthy)\b"
)
_TAKEN_ON: Final = re.compile(r"\b(?:acknowledge(?:d|ment)|acked)\b", re.I)
_BEGUN: Final = re.compile(r"\b(?:firing|problem|alerting|triggered|opened|no data)\b", re.I)
_WRONG: Final = re.compile(
    r"\b(?:down|critical|crit|fatal|disaster|emergency|error|failed|failure|failing|unreachable|offline"
    r"|degraded|warning|warn|unhealthy)\b",
    re.I,
)
_CHANGE: Final = re.compile(r"\b(\w+)\s*(?:->|=>|→|➔|\bto\b)\s*(\w+)\b")
_BEFORE: Final = re.compile(r"\(?\bwas (?:down|up|ok|critical|warning|unknown)\b[^)]*\)?", re.I)
_FIELD: Final = re.compile(
    r"^[ \t*]*(?:(?:service|host|alert|current|new|trigger)[ \t]*)?(?:state|status|severity|priority)"
    r"[ \t*]*[:=][ \t*]*(?P<value>\w+)",
    re.I | re.M,
)
_LEVELS: Final = (
    (severity.CRITICAL, "critical crit fatal disaster emergency down unreachable offline"),
    (severity.ERROR, "error err failed failure failing major"),
    (severity.WARNING, "warning warn degraded unhealthy unstable"),
    (severity.INFO, "info information"),
)
LEVEL: Final = {word: level for level, words in _LEVELS for word in words.split()}

# Identity.
_PREFIX: Final = re.compile(r"^(?:\s*(?:re|fwd?|aw|wg)\s*:)+\s*", re.I)
_CHANGING: Final = re.compile(
    r"\b(?:firing|resolved|alerting)\s*:\s*\d+|\bno data\b|\d+(?:[.,]\d+)?\s*%"
    r"|\b(?:in|after|for)\s+(?:\d+(?:\.\d+)?\s*(?:s|m|h|d|secs?|seconds?|mins?|minutes?|hours?|days?)\b[\s,]*)+",
    re.I,
)
_UPTIME: Final = re.compile(r"^\[([^\]]+)\]\s*\[\W*(?:up|down)\W*\]", re.I)  # behind it stands the reason
_WORD: Final = re.compile(r"[^\W_][\w./:@+-]*")
_NO_NAME: Final = """
    resolved recovered recovery cleared clear solved closed ok up fixed restored succeeded success successful
    successfully normal online healthy acknowledged acknowledgement acked firing problem alerting triggered
    opened down critical crit fatal disaster emergency error err failed failure failing unreachable offline
    degraded warning warn unhealthy unstable info information unknown pending
    alert alerts from for on device is are was has been again now back to state status notification
"""
_TELLING_NOTHING: Final = frozenset(_NO_NAME.split())


def identity(subject: str) -> str:
    """What of a subject stays the same from the problem to the recovery."""
    subject = _PREFIX.sub("", subject)
    if uptime := _UPTIME.match(subject):
        return uptime[1].strip()
    subject = _CHANGING.sub(" ", _BEFORE.sub(" ", subject))
    words = (word.rstrip(".:-+/") for word in _WORD.findall(subject))
    return " ".join(word for word in words if word and word.lower() not in _TELLING_NOTHING)


def state(subject: str, text: str) -> Status:
    """The state that the subject tells; where it tells none, the text's own field."""
    subject = _BEFORE.sub(" ", _PREFIX.sub("", subject))
    for tells in (_by_head, _by_change, _by_words):
        if status := tells(subject):
            return status
    for field in _FIELD.finditer(text):
        if status := _by_words(field["value"].upper()):
            return status
    return "firing"


def _by_head(subject: str) -> Status | None:
    """What stands in front of a colon or a bar, within brackets, or as a first word in capitals."""
    heads = [head for found in _HEADS.findall(subject) for head in found if head]
    if shouted := _SHOUTED.match(subject):
        heads.append(shouted[1])
    return _first(heads, ((_OVER_IN_HEAD, "resolved"), (_TAKEN_ON, "acknowledged"), (_BEGUN, "firing"))) or (
        _first(heads, ((_WRONG, "firing"), (_FINE, "resolved")))
    )


def _first(heads: list[str], kinds: tuple[tuple[re.Pattern[str], Status], ...]) -> Status | None:
    for head in heads:
        for words, status in kinds:
            if words.search(head):
                return status
    return None


def _by_change(subject: str) -> Status | None:
    """``DOWN -> UP``: what stands behind the arrow counts."""
    for before, after in _CHANGE.findall(subject):
        if any(words.search(before.upper()) for words in (_FINE, _WRONG)):
            return _first([after.upper()], ((_WRONG, "firing"), (_FINE, "resolved")))
    return None


def _by_words(subject: str) -> Status | None:
    kinds: tuple[tuple[re.Pattern[str], Status], ...] = (
        (_OVER_ANYWHERE, "resolved"),
        (_TAKEN_ON, "acknowledged"),
        (_BEGUN, "firing"),
        (_WRONG, "firing"),
        (_FINE, "resolved"),
    )
    return _first([subject], kinds)


def level(subject: str, text: str) -> str:
    """The worst that the subject names, else the text's own field; a warning where neither does."""
    found = [LEVEL[word] for word in re.findall(r"[a-z]+", subject.lower()) if word in LEVEL]
    if not found:
        words = (field["value"].lower() for field in _FIELD.finditer(text))
        telling = (word for word in words if severity.known(word) and word not in ("ok", "unknown"))
        found = [severity.read(word) for word in telling]
    return max(found, key=severity.RANK.__getitem__, default=severity.WARNING)
