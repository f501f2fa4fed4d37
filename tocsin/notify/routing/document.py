"""A routing tree as people write it: routes, what receivers stand for, time intervals and holidays."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from tocsin.core import durations
from tocsin.core.errors import Rejected
from tocsin.core.matchers import EQUAL, REGEX, Matcher, matcher, parse
from tocsin.notify.routing.intervals import TimeInterval, holiday
from tocsin.notify.routing.lines import Node, Problem, Unsound, Where, problem, validated

MOST_ROUTES: Final = 5_000
DEEPEST: Final = 30
ALL_LABELS: Final = "..."


def _seconds(value: object) -> object:
    """``30s`` or ``1h30m`` as seconds; a number is seconds."""
    if not isinstance(value, str):
        return value
    try:
        return durations.seconds(value)
    except Rejected as error:
        raise ValueError(str(error)) from None


def _matching(text: str) -> str:
    try:
        parse(text)
    except Rejected as error:
        raise ValueError(str(error)) from None
    return text


def _pattern(text: str) -> str:
    try:
        matcher("label", REGEX, text)
    except Rejected as error:
        raise ValueError(str(error)) from None
    return text


def _date(text: str) -> str:
    holiday(text)
    return text


Duration = Annotated[int, BeforeValidator(_seconds), Field(ge=0, le=10 * 366 * 86_400)]
Interval = Annotated[Duration, Field(ge=1)]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
Name = Annotated[str, Field(min_length=1)]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, validate_by_name=True)


class Route(_Written):
    """A node of the tree. Who gets an alert, how it is grouped and when it is told come from the route
    above where they are not given; the hours do not."""

    name: str = Field(default="", description="What people call it")
    receiver: str | None = Field(default=None, description="A receiver, which stands for channels")
    channels: list[Name] | None = Field(default=None, description="Channels, instead of a receiver")
    matchers: list[Annotated[str, AfterValidator(_matching)]] = []
    match: dict[LabelName, str] = {}
    match_re: dict[LabelName, Annotated[str, AfterValidator(_pattern)]] = {}
    continues: bool = Field(
        default=False, alias="continue", description="Ask the routes after it too where it took the alert"
    )
    group_by: list[Name] | None = Field(default=None, description='Labels, or "..." for all of them')
    group_wait: Duration | None = None
    group_interval: Interval | None = None
    repeat_interval: Interval | None = None
    mute_time_intervals: list[str] = []
    active_time_intervals: list[str] = []
    routes: list["Route"] = []

    def conditions(self) -> list[Matcher]:
        """All that an alert must meet, in the order in which it was written."""
        found = [one for text in self.matchers for one in parse(text)]
        found += [matcher(name, EQUAL, value) for name, value in self.match.items()]
        return found + [matcher(name, REGEX, value) for name, value in self.match_re.items()]


class NamedIntervals(_Written):
    """Hours with a name, to which routes refer."""

    name: Name
    time_intervals: list[TimeInterval] = []


class Routing(_Written):
    """A whole tree, and what its routes refer to."""

    route: Route
    receivers: dict[Name, list[Name]] = Field(default={}, description="The channels of each receiver")
    time_intervals: list[NamedIntervals] = []
    holidays: dict[Name, list[Annotated[str, AfterValidator(_date)]]] = {}


def read(document: object, written: Node | None = None) -> Routing:
    """A tree out of a decoded document; ``written`` tells the lines of it. Raises Unsound, which tells all
    that is wrong."""
    _bounded(document)
    routing = validated(Routing, document, written)
    problems = [problem(where, message, written) for where, message in _mistakes(routing)]
    if problems:
        raise Unsound(problems)
    return routing


def read_node(root: Node) -> Routing:
    """A tree as it was written in lines, also under ``routing`` as in a file of tests. Raises Unsound."""
    within = root.get("routing") if "route" not in root.fields() else None
    found = within or root
    if not isinstance(found.value, dict):
        raise Unsound([Problem(found.line, found.path, "a mapping with a route is expected here")])
    return read(found.plain(), found)


def written(routing: Routing) -> dict[str, Any]:
    """A tree as plain values, to be kept."""
    return routing.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def walk(route: Route, where: Where = ("route",)) -> Iterator[tuple[Where, Route]]:
    """A route and all below it, from above, with what leads to each."""
    yield where, route
    for place, below in enumerate(route.routes):
        yield from walk(below, (*where, "routes", place))


def _bounded(document: object) -> None:
    """Refuse what is nested deeper, or has more routes, than anybody writes."""
    level, count = [document], 0
    for _ in range(DEEPEST * 2 + 4):
        level = [below for one in level for below in _below(one)]
        count += len(level)
        if not level:
            return
        if count > MOST_ROUTES * 40:
            break
    raise Unsound(
        [Problem(0, "route", f"it is too large: more than {MOST_ROUTES:,} routes or {DEEPEST} levels")]
    )


def _below(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


# What no single field shows.


def _mistakes(routing: Routing) -> Iterator[tuple[Where, str]]:
    root, at = routing.route, ("route",)
    if not root.receiver and root.channels is None:
        yield at, "the root route must say who gets what no other route takes: a receiver or channels"
    if root.conditions():
        yield at, "the root route must not have any matchers: it is for all alerts"
    if root.continues:
        yield (*at, "continue"), "the root route has no routes after it"
    for field in ("mute_time_intervals", "active_time_intervals"):
        if getattr(root, field):
            yield (*at, field), "the root route must not have any: it is for all alerts at all times"
    yield from _twice(routing)
    yield from _holidays(routing)
    names = {one.name for one in routing.time_intervals}
    for count, (where, route) in enumerate(walk(root)):
        if count >= MOST_ROUTES:
            yield where, f"there are more than {MOST_ROUTES:,} routes"
            return
        yield from _route(where, route, routing.receivers.keys(), names)


def _route(
    where: Where, route: Route, receivers: Iterable[str], names: set[str]
) -> Iterator[tuple[Where, str]]:
    if route.receiver and route.channels is not None:
        yield (*where, "channels"), "a route has a receiver or channels, not both"
    if route.receiver and route.receiver not in receivers:
        yield (*where, "receiver"), f"undefined receiver {route.receiver!r}"
    for field in ("mute_time_intervals", "active_time_intervals"):
        for place, name in enumerate(getattr(route, field)):
            if name not in names:
                yield (*where, field, place), f"undefined time interval {name!r}"
    labels = route.group_by or []
    if ALL_LABELS in labels and len(labels) > 1:
        yield (*where, "group_by"), f"{ALL_LABELS!r} is for all labels: no other may stand beside it"
    for label in (label for label, count in Counter(labels).items() if count > 1):
        yield (*where, "group_by"), f"the label {label!r} stands here twice"


def _twice(routing: Routing) -> Iterator[tuple[Where, str]]:
    seen: set[str] = set()
    for place, one in enumerate(routing.time_intervals):
        if one.name in seen:
            yield ("time_intervals", place, "name"), f"there is another time interval named {one.name!r}"
        seen.add(one.name)


def _holidays(routing: Routing) -> Iterator[tuple[Where, str]]:
    for place, named in enumerate(routing.time_intervals):
        for within, one in enumerate(named.time_intervals):
            for field in ("holidays", "except_holidays"):
                for name in getattr(one, field) or []:
                    if name not in routing.holidays:
                        where = ("time_intervals", place, "time_intervals", within, field)
                        yield where, f"undefined list of holidays {name!r}"
