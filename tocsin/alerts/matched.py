"""Which alerts that fire now are matched by silences: what people want to see before they make one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Final

import msgspec

from tocsin.alerts.correlate.silencing import InForce, Silences
from tocsin.alerts.models import Alert, Silence
from tocsin.core.labels import with_name
from tocsin.core.matchers import Matcher, from_json, match_all

LOOKED_AT: Final = 2_000


class Firing(msgspec.Struct, frozen=True):
    """One alert that fires now, with its name among its labels."""

    name: str
    labels: Mapping[str, str]
    incident_id: int | None


class FiringAlerts:
    """The newest alerts that fire now, read once."""

    @cached_property
    def _read(self) -> list[Firing]:
        newest = Alert.objects.filter(status=Alert.FIRING).order_by("-pk")
        rows = newest.values_list("name", "labels", "incident_id")[: LOOKED_AT + 1]
        return [Firing(name, with_name(labels, name), incident) for name, labels, incident in rows]

    @property
    def cut(self) -> bool:
        """Whether more alerts fire than are looked at."""
        return len(self._read) > LOOKED_AT

    def matched_by(self, matchers: list[Matcher]) -> list[Firing]:
        """Those that meet all conditions."""
        return [alert for alert in self._read[:LOOKED_AT] if match_all(matchers, alert.labels)]

    def counts(self, silences: Iterable[Silence]) -> Counter[str]:
        """By silence, how many it matches."""
        matching = Silences(InForce(s.id, matchers_of(s), s.comment, s.created_by) for s in silences)
        return Counter(s.id for alert in self._read[:LOOKED_AT] for s in matching.over(alert.labels))


class Hushed(msgspec.Struct, frozen=True):
    """The silence that keeps an alert from people."""

    id: str
    created_by: str = ""
    comment: str = ""


def hushed(alerts: Iterable[Alert], now: datetime) -> dict[int, Hushed]:
    """By alert, the silence in force that matches it, else the one for which people have not heard of it."""
    silences, found = Silences.in_force(now), {}
    for alert in alerts:
        matching = next(silences.over(with_name(alert.labels, alert.name)), None)
        if matching is not None:
            found[alert.pk] = Hushed(matching.id, matching.created_by, matching.comment)
        elif alert.silenced_by:
            found[alert.pk] = Hushed(alert.silenced_by)
    return found


def matchers_of(silence: Silence) -> tuple[Matcher, ...]:
    """A stored silence's matchers."""
    return tuple(map(from_json, silence.matchers))
