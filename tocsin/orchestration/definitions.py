"""Definitions: which of them an incident's runs walk, and the only code that writes them."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec
from django.db import transaction

from tocsin.alerts.news import News
from tocsin.core import log, matchers
from tocsin.core.errors import Rejected, Unknown
from tocsin.core.matchers import Matcher
from tocsin.db import bulk
from tocsin.orchestration.graph import Graph, four_stages, graph_of
from tocsin.orchestration.models import PipelineDefinition, PipelineVersion
from tocsin.orchestration.setup import BESIDE_DOCUMENT, Setup, Step, checked, compared, same
from tocsin.orchestration.shown import opened, restored, stored

logger = log.get(__name__)

_CURRENT: Final = (
    "SELECT d.matchers, v.id FROM orchestration_pipelinedefinition d"
    " JOIN orchestration_pipelineversion v ON v.definition_id = d.id AND v.number = d.version"
    " WHERE d.enabled = %s ORDER BY d.priority, d.id"
)


class Choice:
    """The definitions that are on, in the order they are asked."""

    def __init__(self, rows: Sequence[tuple[str, int]]) -> None:
        self._rows = [(_matchers(given), version) for given, version in rows]

    @classmethod
    def load(cls) -> "Choice":
        """As they are now."""
        return cls(bulk.fetch(_CURRENT, [True]))

    @classmethod
    def only(cls, name: str) -> "Choice":
        """The one of that name, whatever the incident. Raises Unknown; Unsound where it cannot be walked."""
        version = current(name)
        graph_of_version(version)
        return cls([("[]", version)])

    def of(self, news: News) -> tuple[int | None, Graph]:
        """The version to walk, and its graph; the built-in stages where none matches."""
        labels = news.all_labels()
        for wanted, version in self._rows:
            if all(matcher.matches(labels) for matcher in wanted) and (graph := _sound(version)):
                return version, graph
        return None, four_stages()


def _sound(version: int) -> Graph | None:
    """Its graph; None where it cannot be walked any more, as when a plug-in was taken away: then the next
    that matches is, as people must hear of what happens."""
    try:
        return graph_of_version(version)
    except Exception as error:  # noqa: BLE001 - a node may be anybody's, and may not even be imported
        logger.error("definition.unsound", version=version, error=str(error))
        return None


@lru_cache(maxsize=256)
def _matchers(given: str) -> tuple[Matcher, ...]:
    return tuple(matchers.parse_one(text) for text in msgspec.json.decode(given, type=list[str]))


def graph_of_version(version: int | None) -> Graph:
    """A version's graph; the built-in stages where it is none. Raises Unsound, Unknown."""
    return four_stages() if version is None else _graph(version)


@lru_cache(maxsize=256)
def _graph(version: int) -> Graph:
    found = PipelineVersion.objects.filter(pk=version).values_list("document", flat=True).first()
    if found is None:
        raise Unknown("the version of its definition is not there any more")
    return graph_of(opened(found))


def put(
    *,
    name: str,
    document: Any,
    matching: Sequence[str] = (),
    priority: int = 100,
    enabled: bool = True,
    description: str = "",
    actor: str = "",
    now: datetime,
) -> PipelineDefinition:
    """Make a definition, or change the one of that name; a document that differs is a new version. Runs
    that are under way keep theirs; dots stand for the secrets it had. Raises Unsound, Rejected."""
    setup = Setup(name, document, list(matching), priority, enabled, description)
    with transaction.atomic():
        found = PipelineDefinition.objects.select_for_update().filter(name=name).first()
        return _store(checked(setup, found), found, actor, now)


def apply(setups: Sequence[Setup], *, actor: str = "", now: datetime, dry_run: bool = False) -> list[Step]:
    """Have these definitions as they say, and leave the others; return what was, or would be, done. All of
    it is one transaction. Raises Unsound, Rejected."""
    steps = []
    with transaction.atomic():
        known = {each.name: each for each in PipelineDefinition.objects.select_for_update()}
        for given in setups:
            old = known.get(given.name)
            setup = checked(given, old)
            step = compared(setup, old)
            steps.append(step)
            if step.kind != "keep" and not dry_run:
                known[given.name] = _store(setup, old, actor, now)
    return steps


def _store(setup: Setup, old: PipelineDefinition | None, actor: str, now: datetime) -> PipelineDefinition:
    found = old or PipelineDefinition(name=setup.name)
    changed = old is None or not old.version or not same(setup.definition, old.definition)
    for field in BESIDE_DOCUMENT:
        setattr(found, field, getattr(setup, field))
    if changed:
        found.definition = stored(setup.definition)
    found.version, found.updated_at = found.version + changed, now
    found.save()
    if changed:
        PipelineVersion.objects.create(
            definition=found, number=found.version, document=found.definition, made_by=actor, created_at=now
        )
    return found


def check(*, name: str, document: Any = None) -> None:
    """See whether a document could be put under this name; that which is there, where none is given. Dots
    stand for the secrets it has. Raises Unsound, with all that is wrong; Unknown."""
    old = _find(name) if document is not None else named(name)
    kept = old.definition if old else {}
    graph_of(opened(kept) if document is None else restored(document, kept))


def bring_back(*, version: PipelineVersion, actor: str = "", now: datetime) -> PipelineDefinition:
    """Have what a definition was, as its newest version. Raises Unsound."""
    found = version.definition
    return put(
        name=found.name, document=opened(version.document), matching=found.matchers, priority=found.priority,
        enabled=found.enabled, description=found.description, actor=actor, now=now,
    )  # fmt: skip


def examine(setup: Setup) -> None:
    """See whether all of a set-up could be put. Raises Unsound, Rejected."""
    checked(setup, _find(setup.name))


def enable(*, name: str, enabled: bool, now: datetime) -> None:
    """Let incidents walk it, or no more; runs under way go on. Raises Unknown."""
    found = named(name)
    PipelineDefinition.objects.filter(pk=found.pk).update(enabled=enabled, updated_at=now)


def remove(*, name: str) -> None:
    """Remove a definition. Raises Unknown; Rejected where runs walk it."""
    with transaction.atomic():
        found = named(name)
        if found.versions.filter(pipelinerun__due_at__isnull=False).exists():
            raise Rejected(f"runs are walking {name}: turn it off, and remove it when they are through")
        found.delete()


def named(name: str) -> PipelineDefinition:
    """The one of that name. Raises Unknown, which names those there are."""
    found = _find(name)
    if found is None:
        known = ", ".join(PipelineDefinition.objects.order_by("name").values_list("name", flat=True)[:50])
        raise Unknown(f"there is no definition {name[:100]!r}; known: {known or 'none'}")
    return found


def _find(name: str) -> PipelineDefinition | None:
    """PostgreSQL cannot even be asked for a NUL."""
    return None if "\0" in name else PipelineDefinition.objects.filter(name=name).first()


def current(name: str) -> int:
    """The newest version of the one of that name. Raises Unknown."""
    found = named(name)
    return PipelineVersion.objects.values_list("pk", flat=True).get(definition=found, number=found.version)
