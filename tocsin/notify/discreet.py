"""What receivers say is kept, logged and shown to people: without the channel's secrets, which some of them
say back, and so that it can be stored and printed anywhere."""

import base64
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import product
from typing import Any, Final
from urllib.parse import quote, unquote

from pydantic import BaseModel, SecretStr

from tocsin.core.secret_fields import MASK

SHORTEST: Final = 4  # a shorter text is everywhere, and no secret
SHORTEST_PIECE: Final = 8  # of what stands in a URL or a document
SHORTEST_BEGINNING: Final = 6  # of a secret that was cut
LONGEST_WORD: Final = 15  # of a path, such as webhooks, which says nothing
MOST: Final = 1_000
_HOST: Final = re.compile(r"https?://(?:[^/?#@\s\"]*@)?([^/?#:\s\"]+)")
_PIECES: Final = re.compile(r"[^\w.~+-]+")


class Discreet:
    """Knows one config's secrets, and says them to nobody."""

    def __init__(self, config: object) -> None:
        self._config = config

    def told(self, text: str, most: int = MOST) -> str:
        """A receiver's words as they may be kept."""
        shown = self._without_secrets(text[: most * 4])
        if not shown.isprintable():
            shown = "".join(sign if sign.isprintable() else " " for sign in shown)
        return shown if len(shown) <= most else shown[: most - 1] + "…"

    def _without_secrets(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        for form in self._forms:  # whoever cut the text may have cut one in two
            for length in range(min(len(form) - 1, len(text)), SHORTEST_BEGINNING - 1, -1):
                if text.endswith(form[:length]):
                    return text[:-length] + MASK
        return text

    @cached_property
    def _forms(self) -> list[str]:
        """All that its secrets may look like on the wire, the longest first."""
        values = list(_values(self._config.model_dump() if isinstance(self._config, BaseModel) else {}))
        secrets = {value.get_secret_value() for value in values if isinstance(value, SecretStr)} - {""}
        names = {value for value in values if isinstance(value, str)}
        forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), *_pieces(secret))}
        for user, secret in product(names, secrets):
            forms |= {_base64(f"{user}:{secret}"), _base64(f"\0{user}\0{secret}"), _base64(secret)}
        return sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode()


def _values(value: Any) -> Iterator[str | SecretStr]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _values(inner)
    elif isinstance(value, str | SecretStr):
        yield value


def _pieces(secret: str) -> Iterator[str]:
    """The parts of a secret URL or document that are secret by themselves."""
    hosts = set(_HOST.findall(secret))
    for text in {secret, unquote(secret)}:
        for piece in _PIECES.split(text):
            if len(piece) >= SHORTEST_PIECE and piece not in hosts and not _is_word(piece):
                yield piece


def _is_word(piece: str) -> bool:
    return len(piece) <= LONGEST_WORD and piece.isalpha() and piece.islower()
