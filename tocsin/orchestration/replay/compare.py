"""How what two reruns found differs: which alerts shared an incident, and what people were told."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Literal

import msgspec

from tocsin.alerts.models import AlertHistory
from tocsin.orchestration.replay.lines import Answer, Hid, Joined, Opened, Told

Answers = Callable[[], Iterable[Answer]]  # each call reads them anew: they may be more than memory holds
Kind = Literal["merged", "split", "regrouped", "renamed"]


class Incident(msgspec.Struct):
    """An incident of one of the reruns."""

    title: str
    severity: str
    opened_at: datetime
    resolved_at: datetime | None
    alerts: int


class Regrouped(msgspec.Struct):
    """Incidents ``before`` whose alerts would have been in those ``after``; ``moved`` are the alerts
    outside of the largest of several."""

    kind: Kind
    before: list[Incident]
    after: list[Incident]
    moved: list[str] = []


class Message(msgspec.Struct):
    """A message that only one of the reruns has, and why the other has not; or that both have, at another
    time."""

    at: datetime
    channel: str
    incident: str
    kind: str
    reason: str
    why: str = ""
    instead_at: datetime | None = None


class Count(msgspec.Struct):
    """How many there were, and would have been."""

    before: int = 0
    after: int = 0


class Difference(msgspec.Struct):
    """All of it."""

    incidents: Count
    messages: dict[str, Count]  # by channel
    hidden: dict[str, Count]  # entries that people were not told of, by decision
    regrouped: list[Regrouped]
    fewer: list[Message]
    more: list[Message]
    moved: list[Message]

    @property
    def none(self) -> bool:
        """Whether it is the same in all that people notice."""
        same = all(one.before == one.after for one in [*self.messages.values(), *self.hidden.values()])
        return same and not (self.regrouped or self.fewer or self.more or self.moved)


def compare(before: Answers, after: Answers, channels: Iterable[str]) -> Difference:
    """What would have been otherwise; ``channels`` are those that there would be."""
    parts = _Parts(before, after)
    messages = _Messages(before, after)
    names = sorted({*messages.count[0], *messages.count[1]})
    decisions = sorted({*messages.hidden[0], *messages.hidden[1]})
    fewer, more, moved = messages.differing(set(channels))
    return Difference(
        incidents=Count(*parts.opened),
        messages={name: Count(*(count[name] for count in messages.count)) for name in names},
        hidden={name: Count(*(count[name] for count in messages.hidden)) for name in decisions},
        regrouped=parts.regrouped(),
        fewer=fewer,
        more=more,
        moved=moved,
    )


class _Parts:
    """The incidents of both, joined where they share an entry."""

    def __init__(self, before: Answers, after: Answers) -> None:
        self._before, self._after = before, after
        self._was: dict[int, int] = {}  # by entry, the incident it was in before
        self._leads: dict[int, int] = {}  # an incident to another of its part; those after are negative
        self._counts: set[int] = set()
        self.opened = self._read()

    def _read(self) -> tuple[int, int]:
        seen: tuple[set[int], set[int]] = (set(), set())
        new = [0, 0]
        for side, answers in enumerate((self._before, self._after)):
            for one in answers():
                if not isinstance(one, Joined):
                    continue
                node = -one.incident if side else one.incident
                if one.incident not in seen[side]:
                    seen[side].add(one.incident)
                    new[side] += one.counts
                if one.counts:
                    self._counts.add(node)
                if side == 0:
                    self._was[one.entry] = one.incident
                    self._root(node)
                elif one.entry in self._was:
                    self._join(self._was[one.entry], node)
                else:
                    self._root(node)
        return new[0], new[1]

    def _root(self, node: int) -> int:
        leads = self._leads
        root = node
        while (up := leads.setdefault(root, root)) != root:
            root = up
        while leads[node] != root:
            leads[node], node = root, leads[node]
        return root

    def _join(self, one: int, other: int) -> None:
        first, second = self._root(one), self._root(other)
        if first != second:
            self._leads[second] = first

    def regrouped(self) -> list[Regrouped]:
        """Parts that are not one incident before and the same one after."""
        odd = self._odd()
        parts: defaultdict[int, list[int]] = defaultdict(list)
        for node in self._leads:
            if (root := self._root(node)) in odd:
                parts[root].append(node)
        nodes = {node for some in parts.values() for node in some}
        before = _incidents(self._before, nodes)
        after = _incidents(self._after, {-node for node in nodes})
        found: dict[int, Regrouped] = {}
        for root, some in parts.items():
            was = [before[node] for node in some if node > 0]
            now = [after[-node] for node in some if node < 0]
            found[root] = Regrouped(_kind(was, now), _in_order(was), _in_order(now))
        self._name_moved(found)
        return sorted(found.values(), key=lambda one: (one.before or one.after)[0].opened_at)

    def _odd(self) -> set[int]:
        """The parts that count and differ: sums are enough to tell, and small."""
        before, after, titles = Counter[int](), Counter[int](), Counter[int]()
        for side, count, answers in ((1, before, self._before), (-1, after, self._after)):
            for one in answers():
                if isinstance(one, Opened) and (node := side * one.incident) in self._leads:
                    root = self._root(node)
                    count[root] += 1
                    titles[root] += side * hash(one.title)
        counting = {self._root(node) for node in self._counts}
        return {root for root in counting if before[root] != 1 or after[root] != 1 or titles[root]}

    def _name_moved(self, found: dict[int, Regrouped]) -> None:
        """The alerts outside of the largest incident of a part, on the side where it has several."""
        roots = {root: one for root, one in found.items() if one.kind != "renamed"}
        if not roots:
            return
        for side, answers in ((1, self._before), (-1, self._after)):
            alerts: defaultdict[int, defaultdict[int, dict[str, None]]] = defaultdict(
                lambda: defaultdict(dict)
            )
            for one in answers():
                if not isinstance(one, Joined) or (root := self._root(side * one.incident)) not in roots:
                    continue
                if (roots[root].kind == "split") == (side < 0):
                    alerts[root][one.incident][one.alert] = None
            for root, by_incident in alerts.items():
                _, *others = sorted(by_incident.values(), key=len, reverse=True)
                roots[root].moved = [*dict.fromkeys(name for some in others for name in some)]


def _incidents(answers: Answers, wanted: set[int]) -> dict[int, Incident]:
    return {
        one.incident: Incident(one.title, one.severity, one.opened_at, one.resolved_at, one.alerts)
        for one in answers()
        if isinstance(one, Opened) and one.incident in wanted
    }


def _kind(before: list[Incident], after: list[Incident]) -> Kind:
    if len(before) == len(after) == 1:
        return "renamed"
    if len(after) == 1:
        return "merged"
    return "split" if len(before) == 1 else "regrouped"


def _in_order(incidents: list[Incident]) -> list[Incident]:
    return sorted(incidents, key=lambda one: (one.opened_at, one.title))


class _Messages:
    """What both told. A message is the same where it tells the same channel the same of the same entries."""

    def __init__(self, before: Answers, after: Answers) -> None:
        self._before, self._after = before, after
        self.count: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self.hidden: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        for side, answers in enumerate((before, after)):
            for one in answers():
                if isinstance(one, Told):
                    self.count[side][one.channel] += 1
                elif isinstance(one, Hid) and one.decision != AlertHistory.GROUPED:
                    self.hidden[side][one.decision] += 1

    def differing(self, channels: set[str]) -> tuple[list[Message], list[Message], list[Message]]:
        """Those that would not have been, that would have been besides, and that would have come at another
        time."""
        lost = Counter(map(_key, _told(self._before)))
        new: list[Told] = []
        for one in _told(self._after):
            key = _key(one)
            if lost[key]:
                lost[key] -= 1
            else:
                new.append(one)
        gone: list[Told] = []
        for one in _told(self._before):
            key = _key(one)
            if lost[key]:
                lost[key] -= 1
                gone.append(one)
        gone, new, moved = _paired(gone, new)
        why_not = _Why(self._after, gone, channels)
        why_not_before = _Why(self._before, new, set(self.count[0]))
        fewer = [_message(one, why_not.of(one)) for one in gone]
        return fewer, [_message(one, why_not_before.of(one)) for one in new], moved


def _told(answers: Answers) -> Iterator[Told]:
    return (one for one in answers() if isinstance(one, Told))


def _key(one: Told) -> int:
    return hash((one.channel, one.kind, round(one.at.timestamp(), 3), *one.about))


def _paired(gone: list[Told], new: list[Told]) -> tuple[list[Told], list[Told], list[Message]]:
    """The same messages at another time taken out of both."""
    waiting: defaultdict[tuple[str, ...], list[Told]] = defaultdict(list)
    for one in reversed(gone):
        waiting[one.channel, one.kind, *one.about].append(one)
    besides, moved, found = [], [], set()
    for one in new:
        same = waiting[one.channel, one.kind, *one.about]
        if not same:
            besides.append(one)
            continue
        earlier = same.pop()
        found.add(id(earlier))
        moved.append(msgspec.structs.replace(_message(earlier, ""), instead_at=one.at))
    return [one for one in gone if id(one) not in found], besides, moved


def _message(one: Told, why: str) -> Message:
    return Message(one.at, one.channel, one.title, one.kind, one.reason, why)


class _Why:
    """Why the other rerun has not these messages, as far as what it found tells."""

    def __init__(self, other: Answers, missing: list[Told], channels: set[str]) -> None:
        self._channels = channels
        self._hidden: dict[str, str] = {}
        self._told: dict[tuple[str, str], datetime] = {}
        wanted = {entry for one in missing for entry in one.about}
        for one in other() if wanted else ():
            if isinstance(one, Hid) and one.entry in wanted:
                self._hidden[one.entry] = one.reason
            elif isinstance(one, Told):
                self._told.update({(one.channel, entry): one.at for entry in one.about if entry in wanted})

    def of(self, one: Told) -> str:
        if one.channel not in self._channels:
            return "there is no such channel, or it is off"
        hidden = next((self._hidden[entry] for entry in one.about if entry in self._hidden), "")
        if hidden:
            return hidden
        at = next((at for entry in one.about if (at := self._told.get((one.channel, entry)))), None)
        return f"told in another message, at {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
