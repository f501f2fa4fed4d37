"""How a monitor is set up, whoever says so: a page, the API, a command or a file."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tocsin.alerts.sources import check_labels
from tocsin.checkers.checks import CRITICAL, UNKNOWN, WARNING, Options, checkers
from tocsin.core import severity
from tocsin.core.durations import seconds
from tocsin.core.errors import Rejected, UnknownPlugin

SHORTEST, LONGEST = 10, 86_400
MOST_LOOKS: Final = 100  # in a row, before it fires or recovers
MOST_JITTER: Final = 0.5
LONGEST_NAME: Final = 100
MOST_LABELS: Final = 50
SEVERITIES: Final = {WARNING: severity.WARNING, CRITICAL: severity.CRITICAL, UNKNOWN: severity.WARNING}


def usable() -> list[str]:
    """The checkers that a monitor can use."""
    return [name for name in checkers.names() if not checkers.get(name).trusted_only]


class Wrong(Rejected):
    """A field that cannot be used; the message names it."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}" if field else why)
        self.field = field
        self.why = why


class Setup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``interval`` in seconds; ``jitter`` is a share of it. It fires after ``failures`` results in a row
    that are not ok, and recovers after ``recoveries`` that are. ``severities`` say what a status is as an
    alert."""

    name: str
    checker: str
    options: dict[str, Any] = {}
    interval: int = 60
    jitter: float = 0.1
    failures: int = 3
    recoveries: int = 1
    labels: dict[str, str] = {}
    severities: dict[str, str] = {}
    enabled: bool = True


def read(given: Mapping[str, Any]) -> Setup:
    """A set-up as JSON or TOML has it; the interval may be a duration such as ``1m``. Raises Wrong."""
    told = dict(given)
    interval = told.get("interval")
    if isinstance(interval, str):
        told["interval"] = duration("interval", interval)
    try:
        return checked(msgspec.convert(told, Setup))
    except msgspec.ValidationError as error:
        why, _, place = str(error).partition(" - at `$")
        raise Wrong(place.strip(".`"), why[:1].lower() + why[1:]) from None


def duration(field: str, text: str) -> int:
    """Seconds of a duration as people write it. Raises Wrong."""
    try:
        return seconds(text)
    except Rejected as error:
        raise Wrong(field, str(error)) from None


def checked(setup: Setup) -> Setup:
    """A set-up that can be kept to; severities with those that it leaves out. Raises Wrong."""
    name = setup.name
    if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Wrong("name", f"the name must be 1 to {LONGEST_NAME} printable characters")
    _within("interval", setup.interval, SHORTEST, LONGEST, " seconds")
    _within("jitter", setup.jitter, 0, MOST_JITTER)
    _within("failures", setup.failures, 1, MOST_LOOKS)
    _within("recoveries", setup.recoveries, 1, MOST_LOOKS)
    _check_labels(setup.labels)
    options(setup.checker, setup.options)
    return msgspec.structs.replace(setup, severities=SEVERITIES | _levels(setup.severities))


def options(checker: str, given: Mapping[str, Any]) -> Options:
    """A checker's options, read. Raises Wrong, which names the option as ``options.url``."""
    try:
        kind = checkers.get(checker)
    except UnknownPlugin as error:
        raise Wrong("checker", str(error)) from None
    if kind.trusted_only:
        raise Wrong(
            "checker", f"{checker} is for agents and for commands on this machine; no monitor can use it"
        )
    try:
        return kind.Config.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise Wrong(".".join(map(str, ("options", *first["loc"]))), _said(first)) from None


def _said(problem: ErrorDetails) -> str:
    return problem["msg"].removeprefix("Value error, ")


def _within(field: str, value: float, least: float, most: float, unit: str = "") -> None:
    if not least <= value <= most:
        raise Wrong(field, f"it must be {least:,} to {most:,}{unit}")


def _check_labels(labels: Mapping[str, str]) -> None:
    if len(labels) > MOST_LABELS:
        raise Wrong("labels", f"a monitor can have {MOST_LABELS} labels at most")
    try:
        check_labels(labels)
    except Rejected as error:
        raise Wrong("labels", str(error)) from None


def _levels(given: Mapping[str, str]) -> dict[str, str]:
    for status, level in given.items():
        if status not in SEVERITIES:
            raise Wrong("severities", f"{status[:64]!r} is none of {', '.join(SEVERITIES)}")
        if level not in severity.RANK:
            raise Wrong(f"severities.{status}", f"{level[:64]!r} is none of {', '.join(severity.RANK)}")
    return dict(given)
