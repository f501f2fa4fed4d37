"""Who gets an alert: the routing tree, ready to be asked.

The tree is walked from its root, children in their order. The first child that matches takes the alert; with
``continue`` those after it are asked too. A route whose children all refuse takes it itself.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tocsin.core.matchers import EQUAL, REGEX, Matcher
from tocsin.notify.routing.document import ALL_LABELS, Route, Routing, walk
from tocsin.notify.routing.intervals import Interval, compiled, covered, next_change
from tocsin.notify.routing.lines import Where, path

GROUP_WAIT: Final = 30
GROUP_INTERVAL: Final = 300
REPEAT_INTERVAL: Final = 4 * 3_600
VALUES_KEPT: Final = 200_000  # what patterns said of values, in all of a tree
MUTED: Final = "muted"
INACTIVE: Final = "inactive"
_WORDS: Final = re.compile(r"\^?(?:\((?:\?:)?([\w -]+(?:\|[\w -]+)*)\)|([\w -]+(?:\|[\w -]+)*))\$?", re.ASCII)

Test = Callable[[str], bool]


class Muting(msgspec.Struct, frozen=True):
    """Why a route is silent: ``muted`` by these intervals, or ``inactive``, as it is outside of them."""

    reason: str
    intervals: tuple[str, ...]
    until: datetime | None  # None: not within five years


class Step(msgspec.Struct, frozen=True):
    """A route on the way of an alert, and what the alert met there."""

    path: str
    name: str
    matchers: tuple[Matcher, ...]


class Decision(msgspec.Struct, frozen=True):
    """One route that takes an alert: to whom, in which group, and when. Times are seconds.

    ``receiver`` is empty where the route names channels; ``group_by`` is None where all labels make a group.
    ``groups`` says whether a route on the way has a ``group_by`` at all, be it an empty one.
    """

    steps: tuple[Step, ...]
    receiver: str
    channels: tuple[str, ...]
    group_by: tuple[str, ...] | None
    group_wait: int = GROUP_WAIT
    group_interval: int = GROUP_INTERVAL
    repeat_interval: int = REPEAT_INTERVAL
    muted: Muting | None = None
    active_in: tuple[str, ...] = ()  # of its active intervals those that cover the moment
    active_until: datetime | None = None  # when it falls silent next
    groups: bool = False

    @property
    def route(self) -> str:
        """What leads to the route."""
        return self.steps[-1].path

    def group(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels of the group that an alert belongs to; those it lacks are not among them."""
        names = labels if self.group_by is None else self.group_by
        return {name: labels[name] for name in names if name in labels}


class Refusal(msgspec.Struct, frozen=True):
    """A route that did not take an alert: the first matcher that failed and the label's value, or the
    earlier route after which it was not asked."""

    step: Step
    matcher: Matcher | None
    value: str = ""
    taken_by: str = ""


def compile_tree(routing: Routing) -> "Tree":
    """A tree that can be asked, out of a checked document."""
    return Tree(routing)


def resolve(tree: "Tree", labels: Mapping[str, str], at: datetime) -> list[Decision]:
    """Who gets an alert with these labels at this moment, in the tree's order; somebody always does."""
    return [branch.decide(at) for branch in tree.root.takers(labels)]


def why_not(tree: "Tree", labels: Mapping[str, str]) -> list[Refusal]:
    """Why the routes that an alert came by did not take it; what is below them is left out."""
    return list(tree.root.refusals(labels))


class Tree:
    """A compiled routing tree."""

    def __init__(self, routing: Routing) -> None:
        hours = {
            named.name: tuple(compiled(one, routing.holidays) for one in named.time_intervals)
            for named in routing.time_intervals
        }
        asked = {matcher for _, route in walk(routing.route) for matcher in route.conditions()}
        patterns = [matcher for matcher in asked if matcher.is_regex]
        most = VALUES_KEPT // max(1, len(patterns))
        tests: dict[Matcher, Test] = {matcher: matcher.accepts for matcher in asked}
        tests.update((matcher, Pattern(matcher, most).accepts) for matcher in patterns)
        first = Decision((), "", (), ())
        self.root = Branch(routing.route, ("route",), first, _Shared(routing.receivers, hours, tests))


class Pattern:
    """A matcher with a pattern, and what it said of values seen lately: the same come again and again."""

    def __init__(self, matcher: Matcher, most: int) -> None:
        self._matcher = matcher
        self._most = most
        self._known: dict[str, bool] = {}

    def accepts(self, value: str) -> bool:
        """Whether a label of this value meets the condition."""
        found = self._known.get(value)
        if found is None:
            if len(self._known) >= self._most:
                self._known.clear()
            found = self._known[value] = self._matcher.accepts(value)
        return found


class _Shared(msgspec.Struct, frozen=True):
    """What the branches of a tree have in common."""

    receivers: Mapping[str, Sequence[str]]
    hours: Mapping[str, tuple[Interval, ...]]
    tests: Mapping[Matcher, Test]


class Branch:
    """A route with those below it."""

    __slots__ = ("children", "continues", "decision", "step", "_found", "_hours", "_tests", "_unindexed")

    def __init__(self, route: Route, where: Where, above: Decision, shared: _Shared) -> None:
        self.step = Step(path(where), route.name, tuple(route.conditions()))
        self.continues = route.continues
        self.decision = _inherited(route, self.step, above, shared.receivers)
        self._hours = Hours(route, shared.hours) if _has_hours(route) else None
        self._tests = tuple((matcher.name, shared.tests[matcher]) for matcher in self.step.matchers)
        self.children = tuple(
            Branch(child, (*where, "routes", place), self.decision, shared)
            for place, child in enumerate(route.routes)
        )
        self._found, self._unindexed = _index(self.children)

    def decide(self, at: datetime) -> Decision:
        """What this route does with what it takes, at this moment."""
        return self._hours.applied(self.decision, at) if self._hours else self.decision

    def takers(self, labels: Mapping[str, str]) -> Iterator["Branch"]:
        """The routes that take an alert which came to this one."""
        taken = False
        for child in self._asked(labels):
            if child.accepts(labels):
                taken = True
                yield from child.takers(labels)
                if not child.continues:
                    break
        if not taken:
            yield self

    def refusals(self, labels: Mapping[str, str]) -> Iterator[Refusal]:
        """Why routes below this one did not take an alert which came to this one."""
        taken_by = ""
        for child in self.children:
            failed = None if taken_by else child.first_failed(labels)
            if taken_by or failed:
                yield Refusal(child.step, failed, labels.get(failed.name, "") if failed else "", taken_by)
                continue
            yield from child.refusals(labels)
            taken_by = "" if child.continues else child.step.path

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert meets all that this route asks."""
        for name, accepts in self._tests:  # noqa: SIM110 - any generator costs more than the tests
            if not accepts(labels.get(name, "")):
                return False
        return True

    def first_failed(self, labels: Mapping[str, str]) -> Matcher | None:
        """The first of its matchers that an alert does not meet."""
        return next((matcher for matcher in self.step.matchers if not matcher.matches(labels)), None)

    def _asked(self, labels: Mapping[str, str]) -> Iterable["Branch"]:
        """The children that may match, in order: what their index rules out is not asked."""
        if not self._found:
            return self.children
        places = list(self._unindexed)
        for name, by_value in self._found.items():
            places += by_value.get(labels.get(name, ""), ())
        return [self.children[place] for place in sorted(places)]


def _index(children: Sequence[Branch]) -> tuple[dict[str, dict[str, list[int]]], tuple[int, ...]]:
    """The places of children by the label and the values that each must have, and of those that have no
    such label."""
    found: dict[str, dict[str, list[int]]] = {}
    others = []
    for place, child in enumerate(children):
        for matcher in child.step.matchers:
            if values := _values(matcher):
                for value in values:
                    found.setdefault(matcher.name, {}).setdefault(value, []).append(place)
                break
        else:
            others.append(place)
    return found, tuple(others)


def _values(matcher: Matcher) -> set[str]:
    """The only values that meet a matcher, where it lists them: ``a`` or ``a|b|c``."""
    if matcher.operator == EQUAL:
        return {matcher.value}
    listed = _WORDS.fullmatch(matcher.value) if matcher.operator == REGEX else None
    return set((listed[1] or listed[2]).split("|")) if listed else set()


def _inherited(route: Route, step: Step, above: Decision, receivers: Mapping[str, Sequence[str]]) -> Decision:
    """What a route does, with what it has from the route above."""
    given = {
        field: value
        for field in ("group_wait", "group_interval", "repeat_interval")
        if (value := getattr(route, field)) is not None
    }
    receiver, channels = above.receiver, above.channels
    if route.channels is not None:
        receiver, channels = "", tuple(route.channels)
    elif route.receiver:
        receiver, channels = route.receiver, tuple(receivers[route.receiver])
    group_by = above.group_by
    if route.group_by is not None:
        group_by = None if ALL_LABELS in route.group_by else tuple(route.group_by)
    given["groups"] = above.groups or route.group_by is not None
    return msgspec.structs.replace(
        above, steps=(*above.steps, step), receiver=receiver, channels=channels, group_by=group_by, **given
    )


def _has_hours(route: Route) -> bool:
    return bool(route.mute_time_intervals or route.active_time_intervals)


class Hours:
    """When a route is silent. Between two changes the answer is the same, so the last one is kept."""

    def __init__(self, route: Route, named: Mapping[str, tuple[Interval, ...]]) -> None:
        self._mute = {name: named[name] for name in route.mute_time_intervals}
        self._active = {name: named[name] for name in route.active_time_intervals}
        self._all = [one for known in (self._mute, self._active) for group in known.values() for one in group]
        self._known: tuple[datetime, datetime, datetime | None] | None = None  # from, up to, the answer

    def applied(self, decision: Decision, at: datetime) -> Decision:
        """A route's decision at this moment."""
        muted_by = self._covering(self._mute, at)
        active_in = self._covering(self._active, at)
        changes = self._changes(at)
        muted = None
        if self._active and not active_in:
            muted = Muting(INACTIVE, tuple(self._active), changes)
        elif muted_by:
            muted = Muting(MUTED, muted_by, changes)
        return msgspec.structs.replace(
            decision, muted=muted, active_in=active_in, active_until=None if muted else changes
        )

    def _covering(self, known: Mapping[str, tuple[Interval, ...]], at: datetime) -> tuple[str, ...]:
        return tuple(name for name, intervals in known.items() if covered(intervals, at))

    def _silent(self, at: datetime) -> bool:
        return bool(self._active and not self._covering(self._active, at)) or bool(
            self._covering(self._mute, at)
        )

    def _changes(self, at: datetime) -> datetime | None:
        if self._known is None or not self._known[0] <= at < self._known[1]:
            changes = next_change(self._silent, self._all, at)
            self._known = (at, changes or at + timedelta(days=1), changes)
        return self._known[2]
