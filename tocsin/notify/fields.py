"""What each driver's config asks for, read from its pydantic model."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

import msgspec
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from tocsin.core.errors import Rejected
from tocsin.notify.drivers import drivers


class Field(msgspec.Struct, frozen=True):
    """One setting of a driver. ``default`` is empty where it is required or secret."""

    name: str
    type: str
    required: bool
    default: str
    secret: bool
    description: str


def fields_of(driver: str) -> list[Field]:
    """What a driver's config asks for. Raises UnknownPlugin."""
    return [_field(name, info) for name, info in drivers.get(driver).Config.model_fields.items()]


def about(driver: str) -> str:
    """What a driver does, in a sentence: its class' own words."""
    return (drivers.get(driver).__doc__ or "").strip().splitlines()[0]


def read_pairs(driver: str, pairs: Iterable[str]) -> dict[str, Any]:
    """Settings given as ``key=value``. Raises Rejected for one that the driver has not."""
    given: dict[str, Any] = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found:
            raise Rejected(f"{name!r} is not of the form key=value; {driver} has {_names(driver)}")
        given[name.strip()] = value
    return known(driver, given)


def known(driver: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Texts as the driver's config takes them: lists and maps as JSON, all else as it is.

    Raises Rejected for a setting that the driver has not.
    """
    infos = drivers.get(driver).Config.model_fields
    for name in given:
        if name not in infos:
            raise Rejected(f"{driver} has no setting {name!r}; it has {_names(driver)}")
    return {name: _value(name, text, infos[name]) for name, text in given.items()}


def _names(driver: str) -> str:
    return ", ".join(drivers.get(driver).Config.model_fields)


def _value(name: str, text: str, info: FieldInfo) -> Any:
    if not any((get_origin(kind) or kind) in (list, dict) for kind in _kinds(info)):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Rejected(f'{name} takes JSON, such as ["a"] or {{"a": "b"}}: {error}') from error


def _kinds(info: FieldInfo) -> tuple[Any, ...]:
    """A field's type, and its parts where it is made of some, such as ``a | None``."""
    return (info.annotation, *get_args(info.annotation))


def _field(name: str, info: FieldInfo) -> Field:
    secret = SecretStr in _kinds(info)
    required = info.is_required()
    default = "" if required or secret else _text(info.get_default(call_default_factory=True))
    return Field(name, _type(info.annotation), required, default, secret, info.description or "")


def _type(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " | ".join(map(str, get_args(kind)))
    if kind is SecretStr:
        return "secret"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "object"
    names = {str: "text", int: "number", float: "number", bool: "true or false"}
    return names.get(kind) or str(kind).replace("typing.", "").replace("str", "text")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()
