"""Firing alerts as the API gives them, a few hundred in memory at a time however many there are."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import re2  # type: ignore[import-untyped]
from django.conf import settings
from django.http import HttpRequest

from tocsin.alerts.correlate.grouping import group_of
from tocsin.alerts.correlate.silencing import Silences
from tocsin.alerts.models import Alert
from tocsin.api.alertmanager import shapes
from tocsin.api.alertmanager.configuration import NOBODY
from tocsin.core import config, matchers
from tocsin.core.errors import Rejected
from tocsin.core.labels import with_name
from tocsin.core.matchers import Matcher, match_all
from tocsin.notify.models import NotificationChannel

AT_ONCE: Final = 500
_TRUE: Final = frozenset(["true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"])
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False


class Asked(msgspec.Struct):
    """Which alerts somebody wants to see; ``receivers`` are those that were named, or all."""

    matchers: list[Matcher]
    active: bool
    silenced: bool
    receivers: list[str]

    @classmethod
    def of(cls, request: HttpRequest) -> "Asked":
        """Read the query string. Raises Rejected for a matcher or a pattern that cannot be read."""
        return cls(
            filters(request),
            flag(request, "active"),
            flag(request, "silenced"),
            _fitting(request.GET.get("receiver", "")),
        )


def filters(request: HttpRequest) -> list[Matcher]:
    """All ``filter`` parameters, each one matcher. Raises Rejected."""
    return [matchers.parse_one(text) for text in request.GET.getlist("filter")]


def flag(request: HttpRequest, name: str) -> bool:
    """A parameter that is yes where it is not given or empty; a word that nobody knows is no."""
    return (request.GET.get(name) or "true").lower() in _TRUE


def channels() -> dict[int, str]:
    """The channels that are told, by number."""
    return dict(NotificationChannel.objects.filter(enabled=True).order_by("pk").values_list("pk", "name"))


def receivers() -> list[str]:
    """Their names; never none, as an alert has a receiver there."""
    return list(channels().values()) or [NOBODY]


def _fitting(pattern: str) -> list[str]:
    if not pattern:
        return receivers()
    try:
        whole = re2.compile(f"^(?:{pattern})$", _OPTIONS)
    except (re2.error, UnicodeEncodeError) as error:
        raise Rejected(f"failed to parse receiver param: {pattern!r} is no regular expression") from error
    return [name for name in receivers() if whole.search(name)]


def alerts(asked: Asked, now: datetime) -> Iterator[list[dict[str, Any]]]:
    """Firing alerts in the order of their fingerprints, some at a time."""
    silences, names, last = Silences.in_force(now), receivers(), ""
    while asked.receivers:
        rows = list(_firing().filter(fingerprint__gt=last).order_by("fingerprint")[:AT_ONCE])
        yield [shape for row in rows if (shape := _shape(row, asked, silences, names, now))]
        if len(rows) < AT_ONCE:
            return
        last = rows[-1].fingerprint


def _firing() -> Any:
    return Alert.objects.filter(status=Alert.FIRING)


def _shape(
    row: Alert, asked: Asked, silences: Silences, names: Sequence[str], now: datetime
) -> dict[str, Any] | None:
    """An alert as asked for; None where it is not meant."""
    labels = with_name(row.labels, row.name)
    if not match_all(asked.matchers, labels) or (row.expires_at is not None and row.expires_at <= now):
        return None
    silenced_by = [silence.id for silence in silences.over(labels)]
    if not (asked.silenced if silenced_by else asked.active):
        return None
    until = row.expires_at or now + timedelta(seconds=config.number("TOCSIN_RESOLVE_TIMEOUT"))
    return shapes.alert(row, names, silenced_by, until)


_Group = tuple[dict[str, str], list[int]]


def groups(asked: Asked, now: datetime) -> Iterator[list[dict[str, Any]]]:
    """Firing alerts in their groups, once for each receiver."""
    silences, names = Silences.in_force(now), sorted(asked.receivers)
    for some in _some(_in_order(_members(asked).values())) if names else ():
        wanted = [number for _, members in some for number in members]
        shaped = {row.pk: _shape(row, asked, silences, names, now) for row in _firing().filter(pk__in=wanted)}
        yield [
            {"labels": labels, "routeLabels": {}, "receiver": {"name": name}, "alerts": shown}
            for labels, members in some
            if (shown := [shape for number in members if (shape := shaped.get(number))])
            for name in names
        ]


def _in_order(found: Collection[_Group]) -> list[_Group]:
    """As Alertmanager has them: those with fewer labels first, then by value, one label after another."""
    names = sorted({name for labels, _ in found for name in labels})
    return sorted(found, key=lambda group: (len(group[0]), [group[0].get(name, "") for name in names]))


def _members(asked: Asked) -> dict[str, _Group]:
    """By group, its labels and the numbers of its alerts."""
    found: dict[str, _Group] = {}
    rows = _firing().order_by("fingerprint").values_list("pk", "name", "labels")
    for number, name, labels in rows.iterator(AT_ONCE):
        if match_all(asked.matchers, with_name(labels, name)):
            group = group_of(name, labels, settings.GROUP_BY)
            found.setdefault(group.key, (group.labels, []))[1].append(number)
    return found


def _some(found: Sequence[_Group]) -> Iterator[list[_Group]]:
    """Groups together, as long as they hold no more than is read at once."""
    some: list[_Group] = []
    size = 0
    for group in found:
        if some and size + len(group[1]) > AT_ONCE:
            yield some
            some, size = [], 0
        some.append(group)
        size += len(group[1])
    if some:
        yield some
