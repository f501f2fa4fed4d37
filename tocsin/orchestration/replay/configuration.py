"""What decides over alerts, as plain values without secrets: the settings, definitions, sources, channels and
silences in force."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from django.db.models import QuerySet

from tocsin.alerts.models import Silence, Source
from tocsin.core import config
from tocsin.core.errors import TocsinError
from tocsin.core.matchers import from_json, parse_one, to_json
from tocsin.notify import routes
from tocsin.notify.models import NotificationChannel, RoutingTree
from tocsin.orchestration.graph import graph_of
from tocsin.orchestration.models import PipelineDefinition, PipelineVersion
from tocsin.orchestration.setup import Setup
from tocsin.orchestration.shown import opened, shown

# Those that correlation and the nodes read. How long an alert may be believed is not among them: that it
# was heard of again is not recorded.
SETTINGS: Final = ("TOCSIN_GROUP_BY", "TOCSIN_CLOSE_AFTER", "TOCSIN_SOURCE_BUDGET", "NOTIFY_SKIP_ALL")


class SourceRules(msgspec.Struct):
    """What a source has of its own."""

    group_by: list[str] = []
    budget: int | None = None
    labels: dict[str, str] = {}


class ChannelKind(msgspec.Struct):
    """A channel without its settings, as nothing is sent."""

    driver: str
    enabled: bool = True
    send_resolved: bool = True


class Quiet(msgspec.Struct, rename={"since": "from"}):
    """A silence, its matchers as people write them."""

    matchers: list[str]
    since: datetime
    until: datetime
    created_by: str = ""
    comment: str = ""


class Configuration(msgspec.Struct):
    """All that a replay is made under, by name; definitions in the order they are asked within a priority.

    What else may decide is one more field here: read in ``present``, written in ``put``, and changed by the
    key of that name in a file.
    """

    settings: dict[str, str]
    definitions: dict[str, Setup]
    sources: dict[str, SourceRules]
    channels: dict[str, ChannelKind]
    silences: dict[str, Quiet]
    routing: dict[str, Any] | None = None  # the tree of routes; none: everybody gets everything


def present(since: datetime, until: datetime) -> Configuration:
    """What is in force now, with the silences that held at some time between these."""
    return Configuration(
        settings={name: config.text(name) for name in SETTINGS},
        definitions={row.name: _setup(row) for row in PipelineDefinition.objects.order_by("pk")},
        sources={
            row.name: SourceRules(row.group_by, row.budget, row.labels)
            for row in Source.objects.order_by("pk")
        },
        channels={
            row.name: ChannelKind(row.driver, row.enabled, row.send_resolved)
            for row in NotificationChannel.objects.defer("config").order_by("pk")
        },
        silences={row.id: _quiet(row) for row in _silences(since, until)},
        routing=RoutingTree.objects.order_by("pk").values_list("document", flat=True).last(),
    )


def _setup(row: PipelineDefinition) -> Setup:
    return Setup(row.name, shown(row.definition), row.matchers, row.priority, row.enabled, row.description)


def _silences(since: datetime, until: datetime) -> QuerySet[Silence]:
    return Silence.objects.filter(ends_at__gt=since, starts_at__lt=until).order_by("starts_at", "pk")


def _quiet(row: Silence) -> Quiet:
    matchers = [str(from_json(given)) for given in row.matchers]
    return Quiet(matchers, row.starts_at, row.ends_at, row.created_by, row.comment)


def only_with_secrets() -> list[str]:
    """The definitions that cannot be walked once their secrets are hidden: the next that matches would be."""
    return [
        row.name
        for row in PipelineDefinition.objects.filter(enabled=True).order_by("pk")
        if _sound(row.definition) and not _sound(shown(row.definition))
    ]


def _sound(document: Any) -> bool:
    try:
        graph_of(opened(document))
    except TocsinError:
        return False
    return True


def channel_keys() -> dict[str, int]:
    """By name, the numbers of channels: alerts about a channel name it by its number."""
    return dict(NotificationChannel.objects.values_list("name", "pk"))


def put(given: Configuration, keys: Mapping[str, int], now: datetime) -> None:
    """Write it into an empty database, channels under the ``keys`` they have; settings are the process' own
    environment."""
    Source.objects.bulk_create(
        Source(name=name, digest=name, group_by=one.group_by, budget=one.budget, labels=one.labels,
               created_at=now)
        for name, one in given.sources.items()
    )  # fmt: skip
    NotificationChannel.objects.bulk_create(
        NotificationChannel(pk=keys.get(name), name=name, driver=one.driver, enabled=one.enabled,
                            send_resolved=one.send_resolved, created_at=now)
        for name, one in given.channels.items()
    )  # fmt: skip
    Silence.objects.bulk_create(
        Silence(id=name, matchers=[to_json(parse_one(text)) for text in one.matchers], starts_at=one.since,
                ends_at=one.until, created_by=one.created_by, comment=one.comment, updated_at=now)
        for name, one in given.silences.items()
    )  # fmt: skip
    if given.routing is not None:
        routes.put(given=given.routing, made_by="", now=now)
    for name, setup in given.definitions.items():
        row = PipelineDefinition.objects.create(
            name=name, definition=setup.definition, version=1, matchers=setup.matchers,
            priority=setup.priority, enabled=setup.enabled, description=setup.description, updated_at=now,
        )  # fmt: skip
        PipelineVersion.objects.create(definition=row, number=1, document=setup.definition, created_at=now)
