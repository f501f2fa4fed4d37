"""What each driver's config asks for, read from its pydantic model."""

from collections.abc import Iterable, Mapping
from typing import Any, get_origin
from urllib.parse import urlsplit

import msgspec
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from tocsin.core import fields
from tocsin.core.errors import Rejected
from tocsin.core.fields import Field as Field
from tocsin.notify.drivers import drivers


def fields_of(driver: str) -> list[Field]:
    """What a driver's config asks for. Raises UnknownPlugin."""
    return fields.read(drivers.get(driver).Config)


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
    if not any((get_origin(kind) or kind) in (list, dict) for kind in fields.kinds(info)):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Rejected(f'{name} takes JSON, such as ["a"] or {{"a": "b"}}: {error}') from error


def driver_for(given: Mapping[str, Any]) -> str:
    """The driver that these settings are meant for: it takes all of them, and misses none; where several do,
    the one whose service an address among them names. Raises Rejected."""
    fits = [name for name in drivers.names() if _fits(name, given)]
    if len(fits) > 1:
        fits = [name for name in fits if _names_service(name, given)] or fits
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise Rejected(f"these settings fit {' and '.join(fits)}: name the driver")
    raise Rejected(f"no driver has just the settings {', '.join(given) or '(none)'}: name the driver")


def _fits(driver: str, given: Mapping[str, Any]) -> bool:
    config = drivers.get(driver).Config
    if not given.keys() <= config.model_fields.keys():
        return False
    try:
        config.model_validate(given)
    except ValidationError:
        return False
    return True


def _names_service(driver: str, given: Mapping[str, Any]) -> bool:
    hosts = [_host(value) for value in given.values() if isinstance(value, str)]
    ours = drivers.get(driver).hosts
    return any(host == name or host.endswith(f".{name}") for host in hosts for name in ours)


def _host(text: str) -> str:
    try:
        return urlsplit(text).hostname or ""
    except ValueError:
        return ""
