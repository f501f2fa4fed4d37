"""The types of nodes as the editor lists them: what each does, its settings, and a node to copy."""

import sys
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from tocsin.core import fields
from tocsin.core.fields import Field
from tocsin.orchestration.nodes import nodes

_EMPTY = {"text": "", "number": 0, "true or false": False}


class Kind(msgspec.Struct):
    """One type of node."""

    name: str
    about: str
    gives: str
    branches: bool
    settings: list[Field]
    snippet: str


def kinds() -> list[Kind]:
    """All of them, by name."""
    return [_kind(name) for name in nodes.names()]


def _kind(name: str) -> Kind:
    kind = nodes.get(name)
    about = sys.modules[kind.__module__].__doc__ or ""
    return Kind(
        name,
        _first(about),
        _first(kind.__doc__ or ""),
        kind.branches,
        fields.read_deep(kind.Config),
        _snippet(name),
    )


def _first(doc: str) -> str:
    """Its first paragraph, on one line."""
    return " ".join(doc.strip().partition("\n\n")[0].split())


def _snippet(name: str) -> str:
    config = _filled_in(nodes.get(name).Config)
    node = {"id": name, "type": name, **({"config": config} if config else {}), "next": []}
    return msgspec.json.format(msgspec.json.encode(node), indent=2).decode()


def _filled_in(config: type[BaseModel]) -> dict[str, Any]:
    """Every setting with its default, or with an empty value where it must be given."""
    values = {field.name: _value(field, config.model_fields[field.name]) for field in fields.read(config)}
    return {name: value for name, value in values.items() if value is not None}


def _value(field: Field, info: FieldInfo) -> Any:
    if field.required or field.secret:
        return _EMPTY.get(field.type, {} if field.type.startswith(("dict", "object")) else "")
    return to_jsonable_python(info.get_default(call_default_factory=True))
