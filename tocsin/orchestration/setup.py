"""How a definition is set up, whoever says so: a page, the API or a file; and how it is told."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from tocsin.core import matchers
from tocsin.core.errors import Rejected
from tocsin.orchestration.definition import Unsound
from tocsin.orchestration.graph import graph_of
from tocsin.orchestration.models import PipelineDefinition, PipelineVersion
from tocsin.orchestration.shown import opened, restored, shown

LONGEST_NAME: Final = 100
MOST_PRIORITY: Final = 1_000_000
VERSIONS_SHOWN: Final = 20
_TOLD_BESIDES: Final = ("version", "updated_at", "versions")
BESIDE_DOCUMENT: Final = ("matchers", "priority", "enabled", "description")


class Setup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody wants; ``definition`` is the document."""

    name: str
    definition: Any
    matchers: list[str] = []
    priority: int = 100
    enabled: bool = True
    description: str = ""


class Step(msgspec.Struct):
    """What is to be done to which definition; ``changes`` names the fields that differ."""

    kind: Literal["add", "change", "keep"]
    name: str
    changes: list[str] = []


class Version(msgspec.Struct):
    """What a definition was; secrets are dots."""

    number: int
    made_by: str
    created_at: datetime
    definition: dict[str, Any]


class Told(msgspec.Struct):
    """A definition as it stands; secrets are dots. ``versions`` are the newest, newest first."""

    name: str
    description: str
    version: int
    matchers: list[str]
    priority: int
    enabled: bool
    updated_at: datetime
    definition: dict[str, Any]
    versions: list[Version] = []


def read(given: Mapping[str, Any]) -> Setup:
    """A set-up as JSON has it; what one is told of besides is passed over, so that it may be given back.
    Raises Rejected, which names the field."""
    wanted = {name: value for name, value in given.items() if name not in _TOLD_BESIDES}
    try:
        return msgspec.convert(wanted, Setup)
    except msgspec.ValidationError as error:
        why, _, place = str(error).partition(" - at `$")
        field, why = place.strip(".`"), why[:1].lower() + why[1:]
        raise Rejected(f"{field}: {why}" if field else why) from None


def checked(setup: Setup, old: PipelineDefinition | None) -> Setup:
    """A set-up that can be kept to, with the secrets that the old one had where dots stand for them. Raises
    Unsound, Rejected."""
    check(setup)
    document = restored(setup.definition, old.definition if old else {})
    graph_of(document)
    return msgspec.structs.replace(setup, definition=document)


def check(setup: Setup) -> None:
    """See whether all but the document can be kept to. Raises Rejected, which names the field."""
    name = setup.name
    if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Rejected(f"name: it must be 1 to {LONGEST_NAME} printable characters")
    if "/" in name:
        raise Rejected("name: it must be without a slash")
    if not 0 <= setup.priority <= MOST_PRIORITY:
        raise Rejected(f"priority: it must be 0 to {MOST_PRIORITY:,}")
    for text in setup.matchers:
        try:
            matchers.parse_one(text)
        except Rejected as error:
            raise Rejected(f"matchers: {error}") from error


def compared(setup: Setup, old: PipelineDefinition | None) -> Step:
    """What such a set-up, checked, changes."""
    if old is None:
        return Step("add", setup.name)
    changes = [field for field in BESIDE_DOCUMENT if getattr(setup, field) != getattr(old, field)]
    if not same(setup.definition, old.definition):
        changes.insert(0, "definition")
    return Step("change" if changes else "keep", setup.name, changes)


def same(document: Any, stored: Mapping[str, Any]) -> bool:
    """Whether a document is what is stored; one whose secrets cannot be read any more is another."""
    try:
        return bool(document == opened(stored))
    except Unsound:
        return False


def told(found: PipelineDefinition) -> Told:
    """A definition, without its versions."""
    names = (name for name in Told.__struct_fields__ if name not in ("definition", "versions"))
    return Told(definition=shown(found.definition), **{name: getattr(found, name) for name in names})


def told_in_full(found: PipelineDefinition) -> Told:
    """A definition with its newest versions."""
    versions = found.versions.order_by("-number")[:VERSIONS_SHOWN]
    return msgspec.structs.replace(told(found), versions=[_version(each) for each in versions])


def _version(found: PipelineVersion) -> Version:
    return Version(found.number, found.made_by, found.created_at, shown(found.document))
