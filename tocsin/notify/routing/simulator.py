"""Plays alerts against a routing tree with a clock of its own: what is sent when, as Alertmanager would.

A group waits ``group_wait`` from its first alert, then looks again each ``group_interval``. A channel is told
when alerts of the group are new to it, when some or all have ended, and else when ``repeat_interval`` has
passed since it was told last. What comes up while the route is silent is not made up for: an alert that ends
meanwhile is never told as resolved. Alerts that come at the same moment as a look are seen by it.

A group whose alerts have all ended is let go at once, Alertmanager's within half a minute. Silences are no
part of this; an alert fires until it is said to be resolved.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tocsin.core.errors import Rejected
from tocsin.core.labels import fingerprint
from tocsin.notify.routing.inhibition import InhibitRule, inhibited
from tocsin.notify.routing.tree import Branch, Decision, Muting, Tree

MOST_LOOKS: Final = 20_000
LONGEST_MEMORY: Final = timedelta(hours=120)  # how long Alertmanager knows what it sent, and
FORGETS_EACH: Final = timedelta(minutes=15)  # how often it lets go of what is older
FIRST, NEW, SOME_RESOLVED, RESOLVED, REPEAT = "first", "new", "some_resolved", "resolved", "repeat"
KINDS: Final = (FIRST, NEW, SOME_RESOLVED, RESOLVED, REPEAT)


class Event(msgspec.Struct, frozen=True):
    """An alert that comes in, firing or resolved; ``started_at`` where it fires for longer."""

    at: datetime
    labels: Mapping[str, str]
    firing: bool = True
    started_at: datetime | None = None


class Sent(msgspec.Struct, frozen=True):
    """A message: which channels got it, why, and of how many alerts it told."""

    at: datetime
    kind: str
    route: str
    receiver: str
    channels: tuple[str, ...]
    group: dict[str, str]
    firing: int
    resolved: int

    @property
    def alerts(self) -> int:
        """How many alerts it told of."""
        return self.firing + self.resolved


class Held(msgspec.Struct, frozen=True):
    """A group that was not told while its route was silent, or all its alerts were inhibited (``muting`` is
    None); only the first time of each."""

    at: datetime
    route: str
    receiver: str
    group: dict[str, str]
    muting: Muting | None


class Played(msgspec.Struct, frozen=True):
    """All that happened, in order."""

    sent: list[Sent]
    held: list[Held]


def play(
    tree: Tree,
    events: Iterable[Event],
    until: datetime,
    send_resolved: Mapping[str, bool] | None = None,
    rules: Sequence[InhibitRule] = (),
) -> Played:
    """What is sent up to a moment. ``send_resolved`` says which channels hear of ends; all, where it is
    silent. Raises Rejected when that would take too long."""
    scene = _Scene(tree, send_resolved or {}, rules)
    for event in sorted(events, key=lambda event: event.at):
        if event.at > until:
            break
        scene.forward(event.at, including=False)
        scene.take(event)
    scene.forward(until, including=True)
    return Played(scene.sent, scene.held)


class _Told(msgspec.Struct, frozen=True):
    """What a channel was told of a group last."""

    at: datetime
    firing: frozenset[str]
    resolved: frozenset[str]


class _Group:
    """Alerts of one route that are told together."""

    def __init__(self, branch: Branch, labels: dict[str, str], at: datetime) -> None:
        self.branch = branch
        self.labels = labels
        self.alerts: dict[str, bool] = {}  # fingerprints, and whether they fire
        self.looked = False
        self.held = False
        self.next_look = at

    @property
    def key(self) -> tuple[str, frozenset[tuple[str, str]]]:
        return self.branch.step.path, frozenset(self.labels.items())


class _Scene:
    """Groups, what channels were told, and when each group looks next."""

    def __init__(self, tree: Tree, send_resolved: Mapping[str, bool], rules: Sequence[InhibitRule]) -> None:
        self.sent: list[Sent] = []
        self.held: list[Held] = []
        self._tree = tree
        self._send_resolved = send_resolved
        self._rules = rules
        self._labels: dict[str, Mapping[str, str]] = {}  # of each alert, by its fingerprint
        self._firing: set[str] = set()
        self._groups: dict[object, _Group] = {}
        self._told: dict[object, _Told] = {}
        self._queue: list[tuple[datetime, int, _Group]] = []
        self._looks = 0

    def forward(self, until: datetime, *, including: bool) -> None:
        """Let the clock run, and the groups look when they are due."""
        while self._queue and (self._queue[0][0] < until or (including and self._queue[0][0] == until)):
            at, _, group = heapq.heappop(self._queue)
            if group.next_look == at and self._groups.get(group.key) is group:
                self._look(group, at)

    def take(self, event: Event) -> None:
        """An alert comes in: each route that takes it has it in a group."""
        name = fingerprint(event.labels)
        self._labels[name] = event.labels
        (self._firing.add if event.firing else self._firing.discard)(name)
        for branch in self._tree.root.takers(event.labels):
            wait = timedelta(seconds=branch.decision.group_wait)
            made = _Group(branch, branch.decision.group(event.labels), event.at)
            group = self._groups.setdefault(made.key, made)
            if group is made:
                self._due(group, event.at + wait)
            group.alerts[name] = event.firing
            if not group.looked and (event.started_at or event.at) + wait < event.at:
                self._due(group, event.at)  # it has waited long enough already

    def _due(self, group: _Group, at: datetime) -> None:
        self._looks += 1
        if self._looks > MOST_LOOKS:
            raise Rejected(f"it takes more than {MOST_LOOKS:,} looks at groups: let it end earlier")
        group.next_look = at
        heapq.heappush(self._queue, (at, self._looks, group))

    def _look(self, group: _Group, now: datetime) -> None:
        """Tell what is to be told of a group, and let go of what has ended."""
        decision = group.branch.decide(now)
        group.looked = True
        alerts = {} if decision.muted else self._told_of(group)
        if alerts:
            self.sent += self._messages(group, alerts, decision, now)
        elif not group.held:
            self.held.append(Held(now, decision.route, decision.receiver, group.labels, decision.muted))
        group.held = not alerts
        group.alerts = {name: firing for name, firing in group.alerts.items() if firing}
        if group.alerts:
            self._due(group, now + timedelta(seconds=decision.group_interval))
        else:
            del self._groups[group.key]

    def _told_of(self, group: _Group) -> dict[str, bool]:
        """The alerts of a group that others do not inhibit."""
        if not self._rules:
            return group.alerts
        sources = [self._labels[name] for name in self._firing]
        return {
            name: firing
            for name, firing in group.alerts.items()
            if not inhibited(self._rules, sources, self._labels[name])
        }

    def _messages(
        self, group: _Group, alerts: Mapping[str, bool], decision: Decision, now: datetime
    ) -> Iterator[Sent]:
        """One for all channels that are told the same."""
        found: dict[tuple[str, int, int], list[str]] = {}
        for channel in decision.channels or (decision.receiver,):
            if told := self._message(group, alerts, decision, channel, now):
                found.setdefault(told, []).append(channel)
        for (kind, firing, resolved), channels in found.items():
            to = tuple(channels)
            yield Sent(now, kind, decision.route, decision.receiver, to, group.labels, firing, resolved)

    def _message(
        self, group: _Group, alerts: Mapping[str, bool], decision: Decision, channel: str, now: datetime
    ) -> tuple[str, int, int] | None:
        """Why a channel is told something of a group, and of how many firing and resolved alerts."""
        firing = frozenset(name for name, fires in alerts.items() if fires)
        resolved = frozenset(alerts) - firing
        hears_ends = self._send_resolved.get(channel, True)
        repeat = timedelta(seconds=decision.repeat_interval)
        last = self._told.get((group.key, channel))
        if last and now - last.at > min(2 * repeat, LONGEST_MEMORY) + FORGETS_EACH:
            last = None
        kind = _kind(last, firing, resolved if hears_ends else frozenset(), now, repeat)
        if not kind:
            return None
        self._told[group.key, channel] = _Told(now, firing, resolved)
        if not hears_ends:
            return (kind, len(firing), 0) if firing else None
        return kind, len(firing), len(resolved)


def _kind(
    last: _Told | None, firing: frozenset[str], resolved: frozenset[str], now: datetime, repeat: timedelta
) -> str:
    """Why there is something to tell; empty where there is nothing."""
    if last is None:
        return FIRST if firing else ""
    if not firing <= last.firing:
        return NEW if last.firing else FIRST
    if not firing:
        return RESOLVED if last.firing else ""
    if not resolved <= last.resolved:
        return SOME_RESOLVED
    return REPEAT if now - last.at >= repeat else ""
