"""A plug-in's config as it is stored, with its secrets, and as it is shown, without them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from tocsin.core import fields

MASK: Final = "••••••"


def revealed(config: BaseModel) -> dict[str, Any]:
    """What was given of a validated config, secrets in clear: to be encrypted as a whole."""
    given = config.model_dump(exclude_unset=True)
    return {name: _clear(value) for name, value in given.items()}


def masked(config: type[BaseModel], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What was stored, to show: secrets as dots."""
    return changed(config, stored, dots)


def dots(_: Any) -> str:
    """How each secret is shown."""
    return MASK


def changed(
    config: type[BaseModel], values: Mapping[str, Any], change: Callable[[Any], Any]
) -> dict[str, Any]:
    """What was given or stored, with each secret changed, also those of configs within. There is nothing
    to change in an empty one."""
    return {name: _changed(config, name, value, change) for name, value in values.items()}


def unmasked(config: type[BaseModel], given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody gives who was shown dots: where they stand again, the secret is as it was."""
    return {name: _unmasked(config, name, value, stored.get(name)) for name, value in given.items()}


def secret(config: type[BaseModel], name: str) -> bool:
    """Whether a setting holds secrets; nobody knows that of one which the config has not."""
    info = config.model_fields.get(name)
    return info is None or fields.is_secret(info.annotation)


def _clear(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {name: _clear(inner) for name, inner in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)  # as it was given; pydantic makes 100.0 of it
    return [_clear(inner) for inner in value] if isinstance(value, list | tuple) else value


def _changed(config: type[BaseModel], name: str, value: Any, change: Callable[[Any], Any]) -> Any:
    if (inner := fields.within(config, name)) is not None:
        return _inside(inner, value, change)
    return _each(value, change) if secret(config, name) else value


def _inside(config: type[BaseModel], value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, list):
        return [_inside(config, each, change) for each in value]
    return changed(config, value, change) if isinstance(value, dict) else value


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {name: _each(inner, change) for name, inner in value.items()}
    return change(value) if value else value


def _unmasked(config: type[BaseModel], name: str, value: Any, stored: Any) -> Any:
    inner = fields.within(config, name)
    if inner is not None and isinstance(value, dict):
        return unmasked(inner, value, stored if isinstance(stored, dict) else {})
    return _put_back(value, stored) if secret(config, name) else value


def _put_back(value: Any, stored: Any) -> Any:
    if isinstance(value, dict):
        old = stored if isinstance(stored, dict) else {}
        return {name: _put_back(inner, old.get(name)) for name, inner in value.items()}
    return stored if value == MASK and stored is not None else value
