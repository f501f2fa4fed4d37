"""Payloads that nobody could read: keeping the newest, reading them after all, letting go of them. The
only code that writes them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from tocsin.alerts import reading
from tocsin.alerts.events import Problem
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.alerts.models import ParkedPayload
from tocsin.alerts.sources import Sender
from tocsin.core import doorbell
from tocsin.core.errors import Rejected

MOST: Final = 200
LONGEST: Final = 256 * 1024
LONGEST_REASON: Final = 8_000  # room for what each driver says


class Unread(msgspec.Struct):
    """A post that was refused because nothing could be read from it."""

    body: bytes
    content_type: str
    driver: str  # the one that was named, or empty
    reason: str
    trace_id: str


class Replayed(msgspec.Struct):
    """What was read after all, and taken in under a trace."""

    id: int
    read_by: str
    alerts: int
    errors: list[Problem]
    trace_id: str


def park(*, unread: Unread, now: datetime) -> None:
    """Keep one, as far as it is not too long; the oldest makes room."""
    kept = ParkedPayload.objects.create(
        received_at=now,
        trace_id=unread.trace_id,
        driver=unread.driver[:64],
        content_type=unread.content_type[:128].replace("\0", ""),
        size=len(unread.body),
        body=unread.body[:LONGEST],
        reason=unread.reason[:LONGEST_REASON].replace("\0", ""),
    )
    oldest = ParkedPayload.objects.order_by("-pk").values_list("pk", flat=True)[MOST : MOST + 1]
    ParkedPayload.objects.filter(pk__lte=next(iter(oldest), 0)).exclude(pk=kept.pk).delete()


def replay(
    *,
    parked_id: int,
    now: datetime,
    driver: str = "",
    mapping: Mapping[str, Any] | None = None,
    sender: Sender | None = None,
) -> Replayed:
    """Read one by a mapping, a driver or the one that fits, take its alerts in, and let go of it.

    Raises Rejected where there is no such one, or it still cannot be read; then it stays.
    """
    row = ParkedPayload.objects.filter(pk=parked_id).first()
    if row is None:
        raise Rejected(f"there is no parked payload {parked_id}: tocsin parked list")
    body = bytes(row.body)
    if len(body) < row.size:
        raise Rejected(f"only {len(body)} of its {row.size} bytes were kept: have it sent again")
    read_by, found = reading.read(body, driver=driver, given=mapping, sender=sender)
    if found.errors and not found.alerts:
        raise Rejected(f"alerts[{found.errors[0].index}]: {found.errors[0].message}")
    name = sender.name if sender else ""
    Journal().commit([Post(found.alerts, read_by, row.trace_id, now, name)])
    doorbell.ring()
    forget(parked_id=parked_id)
    return Replayed(parked_id, read_by, len(found.alerts), found.errors, row.trace_id)


def forget(*, parked_id: int) -> None:
    """Let go of one that was dealt with."""
    ParkedPayload.objects.filter(pk=parked_id).delete()
