"""Who gets an alert by a tree, and why others do not, as people and programs are told of it."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from tocsin.core.errors import Rejected
from tocsin.notify.routing import story
from tocsin.notify.routing.tree import Tree, resolve, why_not


class Taken(msgspec.Struct):
    """A route that takes an alert."""

    route: str
    receiver: str
    channels: list[str]
    group: dict[str, str]
    muted: bool
    story: list[str]


class Asked(msgspec.Struct):
    """Who gets an alert with these labels at this moment, and why others do not."""

    labels: dict[str, str]
    at: datetime
    taken: list[Taken]
    refused: list[str]


def ask(tree: Tree, labels: Mapping[str, str], at: datetime) -> Asked:
    """Who gets it, in the tree's order."""
    taken = [
        Taken(
            route=one.route,
            receiver=one.receiver,
            channels=list(one.channels),
            group=one.group(labels),
            muted=one.muted is not None,
            story=story.story(one, labels, at),
        )
        for one in resolve(tree, labels, at)
    ]
    return Asked(dict(labels), at, taken, [story.refusal(one) for one in why_not(tree, labels)])


def labels_of(pairs: Iterable[str]) -> dict[str, str]:
    """Labels given as ``name=value``. Raises Rejected."""
    found = {}
    for pair in pairs:
        name, equal, value = pair.partition("=")
        if not name or not equal:
            raise Rejected(f"{pair[:80]!r} is no label: write it as label=value")
        found[name] = value
    return found
