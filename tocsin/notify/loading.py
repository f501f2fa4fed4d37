"""Routes as somebody brings them, a tree of ours or an ``alertmanager.yml``: what they come to, and how they
are put in force with the channels that they need."""

from collections.abc import Iterable, Set
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from django.db import transaction

from tocsin.core.errors import Rejected
from tocsin.notify import routes, services
from tocsin.notify.models import NotificationChannel, RoutingTree
from tocsin.notify.routing import alertmanager, document, lines, story
from tocsin.notify.routing.document import Routing, walk
from tocsin.notify.routing.findings import Note
from tocsin.notify.routing.lines import Problem, Unsound
from tocsin.notify.routing.receivers import Planned
from tocsin.notify.setup import Setup, Wrong, check_name

NEW, THERE, INCOMPLETE = "new", "there", "incomplete"
OURS, ALERTMANAGERS = "routes", "alertmanager.yml"
MOST_MISSING: Final = 100


class Brought(msgspec.Struct, frozen=True):
    """What was read. ``channels`` hold secrets."""

    kind: str
    routing: Routing
    channels: list[Planned] = []
    inhibit_rules: int = 0
    notes: list[Note] = []


class Plan(msgspec.Struct, frozen=True):
    """What becomes of a channel: it is made; there is one of that name, which stays as it is; or it is made
    and off until somebody sets what is missing, which ``why`` tells."""

    name: str
    receiver: str
    driver: str
    send_resolved: bool
    becomes: str
    why: str = ""


class InForce(msgspec.Struct, frozen=True):
    """The tree that was put in force, and what became of its channels."""

    tree: int
    channels: list[Plan]


def read(text: str | bytes, folder: Path | None = None) -> Brought:
    """Read either kind; files with secrets are read from ``folder`` alone.

    Raises Unsound, which tells all that is wrong.
    """
    root = lines.read(text)
    if isinstance((root.get("receivers") or root).value, list):
        found = alertmanager.read(text, folder)
        _check_names(found.channels)
        rules = len(found.inhibit_rules)
        return Brought(ALERTMANAGERS, found.routing, found.channels, rules, found.notes)
    return Brought(OURS, document.read_node(root))


def read_file(file: Path) -> Brought:
    """The same of a file. Raises Rejected, or Unsound."""
    try:
        with file.open("rb") as opened:
            text = opened.read(lines.MAX_BYTES + 1)
    except OSError as error:
        raise Rejected(f"cannot read {file}: {error.strerror}") from error
    return read(text, file.absolute().parent)


def names() -> set[str]:
    """Those of the channels that are there."""
    return set(NotificationChannel.objects.values_list("name", flat=True))


def plans(brought: Brought, there: Set[str]) -> list[Plan]:
    """What becomes of its channels where there are those of these names."""
    return [_plan(one, there) for one in brought.channels]


def missing(brought: Brought, there: Set[str]) -> list[str]:
    """The channels that its routes name and nobody has, nor would be made."""
    made = {one.name for one in brought.channels}
    return sorted(_named(brought.routing) - there - made)[:MOST_MISSING]


def put(*, brought: Brought, made_by: str, note: str = "", now: datetime) -> InForce:
    """Make the channels that are not there, and put the tree in force, both or none. Raises Unsound."""
    with transaction.atomic():
        planned = plans(brought, names())
        for one, plan in zip(brought.channels, planned, strict=True):
            if plan.becomes != THERE:
                _make(one, plan, now)
        made = routes.put(given=document.written(brought.routing), made_by=made_by, note=note, now=now)
    return InForce(made.pk, planned)


def drawn(tree: RoutingTree) -> list[str]:
    """A kept tree, a line for each route; none where everybody gets everything. One that only another version
    can read says so."""
    try:
        return [] if tree.document is None else story.draw(document.read(tree.document))
    except Unsound as error:
        return [f"It cannot be read here: {error}"]


def _check_names(channels: Iterable[Planned]) -> None:
    """Raises Unsound where a receiver's name can be no channel's."""
    problems = []
    for one in channels:
        try:
            check_name(one.name)
        except Wrong as error:
            problems.append(Problem(one.line, "", f"{one.name[:40]!r} is no name for a channel: {error.why}"))
    if problems:
        raise Unsound(problems)


def _plan(one: Planned, there: Set[str]) -> Plan:
    becomes, why = NEW, ""
    if one.name in there:
        becomes, why = THERE, "there is one of that name already: it stays as it is"
    else:
        try:
            services.read_config(one.driver, one.config)
        except Rejected as error:
            becomes, why = INCOMPLETE, f"it is made, and off until this is set: {error}"
    return Plan(one.name, one.receiver, one.driver, one.send_resolved, becomes, why)


def _make(one: Planned, plan: Plan, now: datetime) -> None:
    setup = Setup(send_resolved=one.send_resolved)
    if plan.becomes == NEW:
        services.add_channel(name=one.name, driver=one.driver, given=one.config, setup=setup, now=now)
        return
    given: dict[str, Any] = {"config": one.config, "enabled": False, "created_at": now}
    NotificationChannel.objects.create(
        name=one.name, driver=one.driver, send_resolved=one.send_resolved, **given
    )


def _named(routing: Routing) -> set[str]:
    """All channels that a tree speaks of, by receivers too."""
    named = {name for _, route in walk(routing.route) for name in route.channels or []}
    receivers = {route.receiver for _, route in walk(routing.route) if route.receiver}
    return named.union(*(routing.receivers[receiver] for receiver in receivers))
