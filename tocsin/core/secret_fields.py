"""A plug-in's config as it is stored, with its secrets, and as it is shown, without them."""

from collections.abc import Mapping
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
    return {name: _masked(value) if secret(config, name) else value for name, value in stored.items()}


def unmasked(config: type[BaseModel], given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody gives who was shown dots: where they stand again, the secret is as it was."""
    return {
        name: _unmasked(value, stored.get(name)) if secret(config, name) else value
        for name, value in given.items()
    }


def secret(config: type[BaseModel], name: str) -> bool:
    """Whether a setting holds secrets; nobody knows that of one which the config has not."""
    info = config.model_fields.get(name)
    return info is None or SecretStr in fields.kinds(info)


def _clear(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {name: _clear(inner) for name, inner in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)  # as it was given; pydantic makes 100.0 of it
    return [_clear(inner) for inner in value] if isinstance(value, list | tuple) else value


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    return MASK if value else value


def _unmasked(value: Any, stored: Any) -> Any:
    if isinstance(value, dict):
        old = stored if isinstance(stored, dict) else {}
        return {name: _unmasked(inner, old.get(name)) for name, inner in value.items()}
    return stored if value == MASK and stored is not None else value
