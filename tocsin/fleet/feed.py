"""The feed: what happened and is no alert. The only code that writes it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from django.db.models import QuerySet

from tocsin.alerts.events import FeedEvent
from tocsin.alerts.intake.beside import Told
from tocsin.fleet.models import Event

MOST: Final = 100_000
RECENT: Final = timedelta(minutes=15)
LOOKED_AT: Final = 200
LONGEST_MESSAGE: Final = 10_000
LONGEST_DATA: Final = 65_536
_FILTERS: Final = ("type", "level", "source", "correlation_id")


def record(events: Sequence[FeedEvent], told: Told) -> None:
    """Keep events; texts that are too long are cut."""
    Event.objects.bulk_create([_row(event, told) for event in events])


def newest(**asked: str) -> QuerySet[Event]:
    """The feed, newest first; by ``type``, ``level``, ``source`` and ``correlation_id`` where given."""
    wanted = {name: value for name, value in asked.items() if name in _FILTERS and value}
    return Event.objects.filter(**wanted).order_by("-pk")


def recent(now: datetime) -> list[Event]:
    """What happened in the last quarter of an hour, the newest first."""
    return list(newest().filter(received_at__gte=now - RECENT)[:LOOKED_AT])


def about(events: Sequence[Event], known: Collection[str], most: int) -> list[Event]:
    """Of these, newest first, at most so many, the oldest first: those that bear one of the ``known`` names
    before all others, such as an instance's or a correlation id."""
    ours = [event for event in events if {event.source, event.correlation_id, event.trace_id} & {*known}]
    others = [event for event in events if event not in ours]
    return sorted((ours + others)[:most], key=lambda event: event.at)


def thin(limit: int = 500) -> int:
    """Let go of up to ``limit`` of the oldest, where there are more than are kept; return how many."""
    ends = Event.objects.values_list("pk", flat=True)
    first, last = ends.order_by("pk").first(), ends.order_by("-pk").first()
    if first is None or last is None or last - first < MOST:
        return 0
    surplus = min(last - first + 1 - MOST, limit)
    return Event.objects.filter(pk__lt=first + surplus).delete()[0]


def _row(event: FeedEvent, told: Told) -> Event:
    return Event(
        type=_text(event.type, 100) or "event",
        level=event.level,
        message=_text(event.message, LONGEST_MESSAGE),
        source=_text(event.source, 200) or told.sender or told.system,
        correlation_id=_text(event.correlation_id, 128),
        data=_data(event.data),
        at=event.at or told.received_at,
        received_at=told.received_at,
        trace_id=told.trace_id,
    )


def _text(text: str, longest: int) -> str:
    return text[:longest].replace("\0", "\N{REPLACEMENT CHARACTER}")


def _data(data: dict[str, Any]) -> dict[str, Any]:
    size = len(msgspec.json.encode(data))
    return data if size <= LONGEST_DATA else {"cut": f"the data had {size:,} bytes"}
