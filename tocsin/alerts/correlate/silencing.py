"""Which changes nobody is told of, because a silence matches their alert."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from tocsin.alerts.news import ChangedAlert
from tocsin.alerts.transition import ENDING, OPENING, UNSILENCED
from tocsin.core.labels import with_name
from tocsin.core.matchers import EQUAL, Matcher, from_json, match_all
from tocsin.db import bulk

_COLUMNS = ("id", "matchers", "comment", "created_by")
_IN_FORCE = "FROM alerts_silence WHERE ends_at > %s AND starts_at <= %s ORDER BY starts_at, id"
_shapes = msgspec.json.Decoder(list[dict[str, Any]])


class InForce(msgspec.Struct, frozen=True):
    """One silence that holds now."""

    id: str
    matchers: tuple[Matcher, ...]
    comment: str
    created_by: str

    @property
    def described(self) -> str:
        """The silence as a reason names it."""
        said = f' ("{self.comment}")' if self.comment else ""
        by = f" by {self.created_by}" if self.created_by else ""
        return f"silence {self.id}{by}{said}"


class Silences:
    """The silences in force at one moment. Those that ask for one value of a label are looked up by it,
    so that thousands of them cost no more than a few."""

    def __init__(self, silences: Iterable[InForce]) -> None:
        self._by_pair: defaultdict[tuple[str, str], list[InForce]] = defaultdict(list)
        self._others: list[InForce] = []
        for silence in silences:
            pair = next(
                ((m.name, m.value) for m in silence.matchers if m.operator == EQUAL and m.value), None
            )
            (self._others if pair is None else self._by_pair[pair]).append(silence)

    @classmethod
    def in_force(cls, now: datetime) -> "Silences":
        """Read them, with one query."""
        stamp = bulk.moment(now)
        rows = bulk.select(_COLUMNS, _IN_FORCE, [stamp, stamp])
        return cls(InForce(row[0], _matchers(row[1]), row[2], row[3]) for row in rows)

    def over(self, labels: Mapping[str, str]) -> Iterator[InForce]:
        """Those that match an alert with these labels."""
        named = (self._by_pair.get(pair, ()) for pair in labels.items()) if self._by_pair else ()
        for silence in chain(self._others, *named):
            if match_all(silence.matchers, labels):
                yield silence


@lru_cache(maxsize=10_000)
def _matchers(stored: str) -> tuple[Matcher, ...]:
    return tuple(map(from_json, _shapes.decode(stored)))


class Hush:
    """Decides over changes in their order, and remembers of which alerts people have not heard."""

    def __init__(self, silences: Silences) -> None:
        self._silences = silences
        self._held: dict[int, str] = {}
        self._held_before: dict[int, str] = {}

    def over(self, alert_id: int, silenced_by: str, change: ChangedAlert, owed: bool) -> str:
        """Why nobody is told of a change; empty where people are.

        ``silenced_by`` is as it was read with the batch. ``owed`` says that the incident ends with this
        change, and that people know it to be open by other alerts: then they are told whatever matches.
        """
        held = self._held.get(alert_id, silenced_by)
        silence = next(self._silences.over(with_name(change.labels, change.name)), None)
        if change.kind == UNSILENCED and not held:
            return "people know of it already"
        if change.kind in ENDING:
            self._hold(alert_id, silenced_by, "")
            if held and owed:
                return ""
        elif change.kind in OPENING or held:
            self._hold(alert_id, silenced_by, silence.id if silence else "")
        if silence is not None:
            return f"nobody is told: {silence.described} matches it"
        if held and change.kind in ENDING:
            return f"nobody is told: silence {held} kept its beginning from people"
        return ""

    def forget(self, alert_id: int, silenced_by: str) -> None:
        """An alert whose incident is over owes nobody anything."""
        self._hold(alert_id, silenced_by, "")

    def _hold(self, alert_id: int, silenced_by: str, silence_id: str) -> None:
        self._held_before.setdefault(alert_id, silenced_by)
        self._held[alert_id] = silence_id

    def moved(self) -> list[tuple[int, str]]:
        """Alerts for which it has changed, with the silence that holds now, or none."""
        return [(alert, now) for alert, now in self._held.items() if self._held_before[alert] != now]
