"""A checker's options on a command line, made of its Config."""

import argparse
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
from pydantic.fields import FieldInfo

from tocsin.checkers.checks import checkers
from tocsin.core import fields
from tocsin.core.errors import Rejected
from tocsin.core.fields import Field

_DEST: Final = "option."


def about(name: str) -> str:
    """What a checker does, in a sentence."""
    said = (checkers.get(name).__doc__ or "").strip().partition("\n\n")[0]
    return " ".join(said.split())


def fields_of(name: str) -> list[Field]:
    """The options of a checker. Raises UnknownPlugin."""
    return fields.read(checkers.get(name).Config)


def add_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Let a parser take every option of a checker."""
    infos = checkers.get(name).Config.model_fields
    for field in fields_of(name):
        _add(parser, field, infos[field.name])


def given(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """What was given, as the checker's config takes it. Raises Rejected."""
    infos = checkers.get(name).Config.model_fields
    told = {field: options.get(_DEST + field) for field in infos}
    return {field: _value(field, infos[field], value) for field, value in told.items() if value is not None}


def _add(parser: argparse.ArgumentParser, field: Field, info: FieldInfo) -> None:
    meaning = (field.description + _stands(field)).replace("%", "%%")
    option, dest = f"--{field.name.replace('_', '-')}", _DEST + field.name
    if _positional(info):
        parser.add_argument(dest, nargs="+", metavar=field.name.upper(), help=meaning)
    elif info.annotation is bool and info.default is True:
        yes_or_no = argparse.BooleanOptionalAction
        parser.add_argument(option, dest=dest, action=yes_or_no, default=None, help=meaning)
    elif info.annotation is bool:
        parser.add_argument(option, dest=dest, action="store_const", const=True, help=meaning)
    elif many := _many(info):
        form = "NAME=VALUE" if many is dict else "A,B"
        parser.add_argument(
            option, dest=dest, action="append", metavar=form, help=meaning, required=field.required
        )
    else:
        choices = get_args(info.annotation) if get_origin(info.annotation) is Literal else None
        value = None if choices else "N" if field.type == "number" else "TEXT"
        parser.add_argument(
            option, dest=dest, choices=choices, metavar=value, help=meaning, required=field.required
        )


def _stands(field: Field) -> str:
    """What stands where the option is not given."""
    empty = field.required or field.default in ("", "[]", "{}", "false") or "default" in field.description
    if empty:
        return ""
    many = msgspec.json.decode(field.default, type=list[Any]) if field.default.startswith("[") else None
    return f" (default: {field.default if many is None else ','.join(map(str, many))})"


def _positional(info: FieldInfo) -> bool:
    extra = info.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("positional"))


def _many(info: FieldInfo) -> type | None:
    """Whether a field takes several values: list or dict, also where it may be None."""
    found = (get_origin(kind) or kind for kind in fields.kinds(info))
    return next((kind for kind in found if kind in (list, dict)), None)


def _value(name: str, info: FieldInfo, value: Any) -> Any:
    many = None if _positional(info) else _many(info)
    if many is dict:
        return dict(_pair(name, text) for text in value)
    if many is list:
        return [part for text in value for part in _parts(name, text)]
    return value


def _pair(name: str, text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not found:
        raise Rejected(f"{name}: {text!r} is not of the form name=value")
    return key.strip(), value


def _parts(name: str, text: str) -> list[Any]:
    """Comma-separated; where values hold commas themselves, a JSON list."""
    if not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return msgspec.json.decode(text, type=list[Any])
    except msgspec.MsgspecError as error:
        raise Rejected(f'{name} takes a,b or ["a","b"]: {error}') from error
