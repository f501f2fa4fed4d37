"""A file of changes to the configuration: read, checked as a whole, and made to what is in force."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from tocsin.alerts import sources
from tocsin.alerts.silences import MOST_MATCHERS
from tocsin.core import matchers
from tocsin.core.errors import Rejected, TocsinError
from tocsin.notify.drivers import drivers
from tocsin.notify.routing import document as routing
from tocsin.notify.routing import lines
from tocsin.notify.routing.lines import Node, Where
from tocsin.orchestration import setup
from tocsin.orchestration.definition import Unsound, said
from tocsin.orchestration.graph import graph_of
from tocsin.orchestration.replay.configuration import (
    SETTINGS,
    ChannelKind,
    Configuration,
    Quiet,
    SourceRules,
)
from tocsin.orchestration.setup import Setup

T = TypeVar("T")
YAML: Final = (".yaml", ".yml")
_YES_OR_NO: Final = frozenset({"", "1", "0", "true", "false", "yes", "no", "on", "off"})


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Definition(_Part):
    name: str | None = None
    definition: dict[str, Any]
    matchers: list[str] = []
    priority: int = 100
    enabled: bool = True
    description: str = ""


class _Source(_Part):
    group_by: list[str] = []
    budget: int | None = Field(default=None, ge=0, le=sources.MOST_INCIDENTS)
    labels: dict[str, str] = {}


class _Channel(_Part):
    driver: str | None = None
    enabled: bool = True
    send_resolved: bool = True


class _Silence(_Part):
    matchers: list[str] = Field(min_length=1, max_length=MOST_MATCHERS)
    since: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime | None = None
    created_by: str = ""
    comment: str = ""


_Setting = Annotated[str | int | bool | list[str] | None, Field(union_mode="left_to_right")]


class _File(_Part):
    """All keys of a file."""

    settings: dict[str, _Setting] = {}
    definitions: dict[str, _Definition | None] = {}
    sources: dict[str, _Source | None] = {}
    channels: dict[str, _Channel | None] = {}
    silences: dict[str, _Silence | None] = {}
    routing: dict[str, Any] | None = None


_KNOWN: Final[dict[str, type[BaseModel]]] = {
    "definitions": _Definition, "sources": _Source, "channels": _Channel, "silences": _Silence,
}  # fmt: skip
_Problem = tuple[Where, str]


def read(path: Path, present: Configuration, since: datetime, until: datetime) -> Configuration:
    """What is in force, with the changes of a file; a silence without times holds all the time. Raises
    Rejected, with all that is wrong."""
    document, written = _document(path)
    try:
        given = _File.model_validate(document)
    except ValidationError as error:
        raise _rejected(path, map(_problem, error.errors()), written) from None
    problems = [*_settings(given), *_definitions(given), *_sources(given), *_channels(given, present)]
    problems += [*_silences(given, since, until), *_routing(given)]
    if problems:
        raise _rejected(path, problems, written)
    return _changed(present, given, since, until)


def _document(path: Path) -> tuple[Any, Node | None]:
    """What a file holds, and the lines of it where it is YAML."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Rejected(f"cannot read {path}: {error.strerror}") from error
    if path.suffix in YAML:
        return _yaml(path, content)
    try:
        return msgspec.json.decode(content), None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        told = "it is no JSON; a file of YAML must end in .yaml"
        raise Rejected(f"{path}: {told}: {error}") from None


def _yaml(path: Path, content: bytes) -> tuple[Any, Node]:
    try:
        written = lines.read(content)
    except lines.Unsound as error:
        raise Rejected("\n".join(f"{path}: {problem}" for problem in error.problems)) from None
    return written.plain(), written


def _rejected(path: Path, problems: Iterable[_Problem], written: Node | None) -> Rejected:
    told = (lines.problem(where, why, written) for where, why in problems)
    return Rejected("\n".join(f"{path}: {one}" for one in told))


def _problem(found: Any) -> _Problem:
    where = tuple(found["loc"])
    if found["type"] == "extra_forbidden":
        kind: type[BaseModel] = _File if len(where) == 1 else _KNOWN.get(where[0], _File)
        names = (info.alias or name for name, info in kind.model_fields.items())
        return where, f"there is no such key; known: {', '.join(names)}"
    return where[:2] if where[:1] == ("settings",) else where, said(found)


def _settings(given: _File) -> Iterator[_Problem]:
    for name, value in given.settings.items():
        where = "settings", name
        if name not in SETTINGS:
            yield where, f"it does not decide over alerts, or is unknown; known: {', '.join(SETTINGS)}"
        elif name == "NOTIFY_SKIP_ALL" and _text(value).lower() not in _YES_OR_NO:
            yield where, "it must be yes or no: 1 or 0"
        elif name in ("TOCSIN_CLOSE_AFTER", "TOCSIN_SOURCE_BUDGET") and not _number(value):
            yield where, "it must be a whole number, 0 or more"


def _number(value: Any) -> bool:
    text = _text(value)
    return not text or text.isdecimal() and len(text) < 10


def _text(value: Any) -> str:
    """A setting as the environment has it; nothing for its default."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return ",".join(value) if isinstance(value, list) else str(value)


def _definitions(given: _File) -> Iterator[_Problem]:
    for name, one in given.definitions.items():
        if one is None:
            continue
        where: Where = ("definitions", name)
        if one.name not in (None, name):
            yield (*where, "name"), f"it is {one.name!r}; leave it out, or write {name!r}"
        yield from _refused(where, setup.check, _setup(name, one))
        try:
            graph_of(one.definition)
        except Unsound as error:
            for problem in error.problems:
                yield (*where, "definition"), str(problem)


def _setup(name: str, one: _Definition) -> Setup:
    return Setup(name, one.definition, one.matchers, one.priority, one.enabled, one.description)


def _refused(where: Where, check: Callable[[T], object], value: T) -> Iterator[_Problem]:
    try:
        check(value)
    except TocsinError as error:
        yield where, str(error)


def _sources(given: _File) -> Iterator[_Problem]:
    for name, one in given.sources.items():
        if one is None:
            continue
        where = "sources", name
        yield from _refused(where, sources.check_name, name)
        yield from _refused((*where, "labels"), sources.check_labels, one.labels)
        yield from _refused((*where, "group_by"), sources.check_grouping, one.group_by)


def _channels(given: _File, present: Configuration) -> Iterator[_Problem]:
    for name, one in given.channels.items():
        if one is None:
            continue
        if not name.strip() or len(name) > 100 or not name.isprintable():
            yield ("channels", name), "the name must be 1 to 100 printable characters"
        if one.driver is None and name not in present.channels:
            yield ("channels", name, "driver"), f"there is no channel {name!r} yet: name its driver"
        if one.driver is not None:
            yield from _refused(("channels", name, "driver"), drivers.get, one.driver)


def _silences(given: _File, since: datetime, until: datetime) -> Iterator[_Problem]:
    for name, one in given.silences.items():
        if one is None:
            continue
        if len(name) > 36 or not name.isprintable():
            yield ("silences", name), "the name must be at most 36 printable characters"
        for place, text in enumerate(one.matchers):
            yield from _refused(("silences", name, "matchers", place), matchers.parse_one, text)
        if (one.since or since) >= (one.until or until):
            yield ("silences", name, "until"), "it must be later than from"


def _routing(given: _File) -> Iterator[_Problem]:
    if given.routing is None:
        return
    try:
        routing.read(given.routing)
    except lines.Unsound as error:
        for problem in error.problems:
            yield ("routing",), str(problem)


def _changed(present: Configuration, given: _File, since: datetime, until: datetime) -> Configuration:
    settings = {name: _text(value) for name, value in given.settings.items()}
    return Configuration(
        settings={**present.settings, **settings},
        definitions=_merged(
            present.definitions, {n: one and _setup(n, one) for n, one in given.definitions.items()}
        ),
        sources=_merged(
            present.sources,
            {
                n: one and SourceRules(one.group_by, one.budget, one.labels)
                for n, one in given.sources.items()
            },
        ),
        channels=_merged(
            present.channels,
            {n: one and _channel(one, present.channels.get(n)) for n, one in given.channels.items()},
        ),
        silences=_merged(
            present.silences, {n: one and _quiet(one, since, until) for n, one in given.silences.items()}
        ),
        routing=given.routing if "routing" in given.model_fields_set else present.routing,
    )


def _merged(present: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those there are, replaced in their place, without those removed, and the new ones."""
    return {name: one for name, one in {**present, **given}.items() if one is not None}


def _channel(given: _Channel, old: ChannelKind | None) -> ChannelKind:
    return ChannelKind(given.driver or (old.driver if old else ""), given.enabled, given.send_resolved)


def _quiet(given: _Silence, since: datetime, until: datetime) -> Quiet:
    begins, ends = (given.since or since).astimezone(UTC), (given.until or until).astimezone(UTC)
    return Quiet(given.matchers, begins, ends, given.created_by, given.comment)
