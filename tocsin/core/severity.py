"""One scale of severity for all sources; each source's own word stays in its labels."""

from typing import Final

CRITICAL, ERROR, WARNING, INFO = "critical", "error", "warning", "info"
RANK: Final = {CRITICAL: 3, ERROR: 2, WARNING: 1, INFO: 0}

_WORDS: Final = {
    CRITICAL: "critical crit fatal emergency emerg alert disaster page p1 sev1 blocker",
    ERROR: "error err high major p2 sev2 severe",
    WARNING: "warning warn medium average minor moderate p3 sev3 unknown",
    INFO: "info information informational low none notice debug ok p4 p5 sev4 sev5 trivial",
}
_READ: Final = {word: level for level, words in _WORDS.items() for word in words.split()}


def known(word: str) -> bool:
    """Whether a source's word has a place on the scale."""
    return word.strip().lower() in _READ


def read(word: str | None) -> str:
    """Place a source's word on the scale; what nobody knows is a warning, so that people see it."""
    if not word:
        return WARNING
    return _READ.get(word) or _READ.get(word.strip().lower(), WARNING)
