"""The routing tree in force: who puts one there, and what it says."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from tocsin.alerts.correlate.rules import Grouped, group_by_routes
from tocsin.core import log
from tocsin.core.errors import Rejected, Unknown
from tocsin.db import bulk
from tocsin.notify.models import RoutingTree
from tocsin.notify.routing import document
from tocsin.notify.routing.document import Routing
from tocsin.notify.routing.tree import Decision, Tree, compile_tree, resolve

logger = log.get(__name__)

_NEWEST: Final = "SELECT digest, document FROM notify_routingtree ORDER BY id DESC LIMIT 1"


class Routes:
    """A tree that can be asked."""

    def __init__(self, routing: Routing) -> None:
        self.routing = routing
        self.tree: Tree = compile_tree(routing)

    def of(self, labels: Mapping[str, str], at: datetime) -> list[Decision]:
        """Who gets what has these labels at this moment."""
        return resolve(self.tree, labels, at)

    def group_by(self, labels: Mapping[str, str]) -> Grouped | None:
        """By which labels an alert is grouped, and apart from which others; None where the tree does not
        say. Of several routes that take it the first decides: an alert is in one incident."""
        decision = next(self.tree.root.takers(labels)).decision
        if not decision.groups:
            return None
        names = tuple(labels) if decision.group_by is None else decision.group_by
        return Grouped(names, "/".join(",".join(map(str, step.matchers)) for step in decision.steps))


def in_force() -> Routes | None:
    """What is in force; None where everybody gets everything."""
    found = bulk.fetch(_NEWEST)
    if not found or found[0][1] in (None, "null"):
        return None
    return _read(*found[0])


@lru_cache(maxsize=8)
def _read(digest: str, text: str) -> Routes:
    return Routes(document.read(msgspec.json.decode(text)))


def put(*, given: Any, made_by: str, note: str = "", now: datetime) -> RoutingTree:
    """Put a tree in force, or with None none. Raises Unsound, which tells all that is wrong with it."""
    if given is not None:
        document.read(given)
    digest = hashlib.sha256(msgspec.json.encode(given)).hexdigest()
    note = note.replace("\0", "")  # no database takes it
    return RoutingTree.objects.create(
        document=given, digest=digest, made_by=made_by[:150], note=note[:300], created_at=now
    )


def use(*, tree_id: int, made_by: str, now: datetime) -> RoutingTree:
    """Put one that was in force before there again. Raises Unknown; Unsound where it cannot be read any
    more."""
    found = RoutingTree.objects.filter(pk=tree_id).first()
    if found is None:
        raise Unknown(f"there is no tree {tree_id}")
    return put(given=found.document, made_by=made_by, note=f"as of tree {found.pk}", now=now)


def newest() -> RoutingTree | None:
    """What was put in force last; one without a document takes the routes away."""
    return RoutingTree.objects.order_by("-pk").first()


def _grouping() -> Any:
    try:
        routes = in_force()
    except Rejected as error:  # one that only a newer version can read: it costs nobody the alert
        logger.error("routes.unreadable", error=str(error))
        return None
    return routes.group_by if routes else None


def ready() -> None:
    """Let correlation, a floor below, ask by which labels alerts are grouped."""
    group_by_routes(_grouping)
