"""What services say in JSON of what they did."""

import re
from typing import Final

from tocsin.core.errors import Unavailable, Unclear
from tocsin.core.http import Response

_WORD: Final = re.compile(r"[!-~]{1,500}")  # what can be kept, and stand in a URL


def required(answer: Response, name: str, error: type[Unavailable] = Unclear) -> str:
    """What an answer of success has to hold. Without it something else answered, as a proxy that wants
    somebody to sign in first. Raises Unclear; a service that takes a message once, however often it is sent,
    asks for Unavailable."""
    return word(answer, answer.json(), name, error)


def word(answer: Response, within: object, name: str, error: type[Unavailable] = Unclear) -> str:
    """The same of a part of the answer."""
    found = within.get(name) if isinstance(within, dict) else None
    if not isinstance(found, str | int) or not _WORD.fullmatch(str(found)):
        raise error(f"HTTP {answer.status} without {name}: {answer.text()}")
    return str(found)


def require_no_page(answer: Response, error: type[Unavailable] = Unclear) -> None:
    """Raise where people were meant to read a success: services that answer nothing, answer no page."""
    kind = answer.headers.get("content-type", "").lower()
    if kind.startswith("text/html") or answer.body.lstrip()[:1] == b"<":
        raise error(f"HTTP {answer.status} with a page in place of an answer: {answer.text()}")


def seconds(asked: object, a_second: float = 1) -> float | None:
    """How long a service asks to wait, in its own unit; None where it does not say."""
    return asked / a_second if isinstance(asked, int | float) else None
