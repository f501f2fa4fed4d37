"""A routing tree as its page draws it."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Final

from tocsin.notify.routing import story
from tocsin.notify.routing.document import Route, Routing
from tocsin.notify.routing.lines import Where, path

MOST_DRAWN: Final = 1_000


@dataclass
class Drawn:
    """One route with those below it; ``to`` is empty where it is told as the one above says."""

    path: str
    name: str
    matchers: list[str]
    says_to: bool
    to: list[str]
    receiver: str
    facts: list[str]
    continues: bool
    taken: bool
    routes: list["Drawn"] = field(default_factory=list)
    cut: int = 0  # how many below it are not drawn


def draw(routing: Routing, taken: Container[str] = ()) -> Drawn:
    """The tree; ``taken`` are the routes that take an alert."""
    return _drawn(routing, routing.route, ("route",), taken, iter(range(MOST_DRAWN)))


def _drawn(routing: Routing, route: Route, where: Where, taken: Container[str], room: Iterator[int]) -> Drawn:
    place = path(where)
    to = list(route.channels or routing.receivers.get(route.receiver or "", []))
    found = Drawn(
        path=place,
        name=route.name,
        matchers=[str(matcher) for matcher in route.conditions()],
        says_to=bool(route.receiver) or route.channels is not None,
        to=to,
        receiver="" if [route.receiver] == to else route.receiver or "",
        facts=list(story.timings(route)),
        continues=route.continues,
        taken=place in taken,
    )
    for number, child in enumerate(route.routes):
        if next(room, None) is None:
            found.cut = len(route.routes) - number
            break
        found.routes.append(_drawn(routing, child, (*where, "routes", number), taken, room))
    return found
