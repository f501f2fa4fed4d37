"""What a plug-in's config asks for, read from its pydantic model: for forms, options and the reference."""

from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo


class Field(msgspec.Struct, frozen=True):
    """One setting. ``default`` is empty where it is required or secret."""

    name: str
    type: str
    required: bool
    default: str
    secret: bool
    description: str


def read(config: type[BaseModel]) -> list[Field]:
    """All settings of a config, in order."""
    return [_field(name, info) for name, info in config.model_fields.items()]


def kinds(info: FieldInfo) -> tuple[Any, ...]:
    """A field's type, and its parts where it is made of some, such as ``a | None``."""
    return (info.annotation, *get_args(info.annotation))


def within(config: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The config that a setting holds, which has settings of its own; None where it holds none."""
    info = config.model_fields.get(name)
    found = kinds(info) if info is not None else ()
    return next(filter(_is_config, found), None)


def read_deep(config: type[BaseModel], before: str = "") -> list[Field]:
    """All settings of a config and of those within it, by their whole names: ``lookup.url``."""
    found = []
    for field in read(config):
        found.append(msgspec.structs.replace(field, name=before + field.name))
        if (inner := within(config, field.name)) is not None:
            found += read_deep(inner, f"{before}{field.name}.")
    return found


def is_secret(kind: Any) -> bool:
    """Whether a type holds secrets, however deep."""
    return kind is SecretStr or any(map(is_secret, get_args(kind)))


def _is_config(kind: Any) -> bool:
    return isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, BaseModel)


def _field(name: str, info: FieldInfo) -> Field:
    secret = is_secret(info.annotation)
    required = info.is_required()
    default = "" if required or secret else _text(info.get_default(call_default_factory=True))
    return Field(name, _type(info.annotation), required, default, secret, info.description or "")


def _type(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " | ".join(map(str, get_args(kind)))
    if kind is SecretStr:
        return "secret"
    if _is_config(kind):
        return "object"
    if isinstance(kind, UnionType) and any(map(_is_config, get_args(kind))):
        return "object"
    if get_origin(kind) is Annotated:
        return _type(get_args(kind)[0])
    if get_origin(kind) in (list, dict):
        return f"{get_origin(kind).__name__}[{', '.join(map(_type, get_args(kind)))}]"
    names = {str: "text", int: "number", float: "number", bool: "true or false"}
    plain = names.get(kind) or str(kind).replace("typing.", "").replace("pydantic.types.", "")
    return plain.replace("SecretStr", "secret").replace("str", "text")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()
