"""A checker's options given as ``key=value``, each read as the same option of ``run_check`` is."""

from collections.abc import Iterable
from typing import Any, get_origin

from pydantic.fields import FieldInfo

from tocsin.checkers.checks import checkers
from tocsin.checkers.options import given
from tocsin.checkers.setup import Wrong
from tocsin.core import fields
from tocsin.core.errors import Rejected


def read_pairs(checker: str, pairs: Iterable[str]) -> dict[str, Any]:
    """Options by name; lists and maps may be given several times. Raises Wrong, UnknownPlugin."""
    infos = checkers.get(checker).Config.model_fields
    told: dict[str, list[str]] = {}
    for pair in pairs:
        name, found, text = pair.partition("=")
        if not found or name not in infos:
            raise Wrong(name[:64], f"{checker} takes {', '.join(infos)}, as name=value")
        told.setdefault(name, []).append(text)
    try:
        values = {name: texts if _many(infos[name]) else texts[-1] for name, texts in told.items()}
        return given(checker, {f"option.{name}": value for name, value in values.items()})
    except Rejected as error:
        raise Wrong("", str(error)) from None


def _many(info: FieldInfo) -> bool:
    return any((get_origin(kind) or kind) in (list, dict) for kind in fields.kinds(info))
