"""Values of a JSON document that are encrypted one by one, so that the rest of it can be read and compared.

A sealed value is ``{"sealed": "gAAAA…"}``: an object of that one name, whose text begins as all that we
encrypt does.
"""

from collections.abc import Callable
from typing import Any, Final

from tocsin.db.fields import JsonText, decrypted, encrypted

_NAME: Final = "sealed"
_BEGINS: Final = "gAAAA"


class SealedJson(JsonText):
    """A JSON document of which some values are sealed: by who writes it, and opened by who reads it."""


def seal(value: Any) -> dict[str, str]:
    """A value as it is stored."""
    return {_NAME: encrypted(value)}


def is_sealed(value: Any) -> bool:
    """Whether a value is a sealed one."""
    if not isinstance(value, dict) or value.keys() != {_NAME}:
        return False
    return isinstance(value[_NAME], str) and value[_NAME].startswith(_BEGINS)


def opened(document: Any) -> Any:
    """A document with its sealed values in clear. Raises Misconfigured where the key is not there."""
    return replaced(document, lambda value: decrypted(value[_NAME]))


def renewed(document: Any) -> Any:
    """A document with its sealed values under the current key. Raises Misconfigured as ``opened`` does."""
    return replaced(document, lambda value: seal(decrypted(value[_NAME])))


def replaced(document: Any, change: Callable[[dict[str, str]], Any]) -> Any:
    """A document with each of its sealed values changed."""
    if is_sealed(document):
        return change(document)
    if isinstance(document, dict):
        return {name: replaced(value, change) for name, value in document.items()}
    return [replaced(value, change) for value in document] if isinstance(document, list) else document


def holds(document: Any) -> bool:
    """Whether a value in a document is sealed."""
    if is_sealed(document):
        return True
    inner = document.values() if isinstance(document, dict) else document
    return isinstance(document, dict | list) and any(map(holds, inner))
