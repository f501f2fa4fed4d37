"""What a driver reads from a payload: plain values, no database."""

from datetime import datetime
from typing import Literal

import msgspec

from tocsin.core import severity

Status = Literal["firing", "resolved"]


class AlertEvent(msgspec.Struct, frozen=True, gc=False):
    """One alert as its source told it. Times are aware; None where the source gave none.

    ``ends_at`` says when it ended, ``expires_at`` until when a firing alert may be believed
    without hearing of it again. ``fingerprint`` is the source's own, else empty.
    """

    labels: dict[str, str]
    status: Status = "firing"
    name: str = ""
    severity: str = severity.WARNING
    annotations: dict[str, str] = {}
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    expires_at: datetime | None = None
    generator_url: str = ""
    fingerprint: str = ""


class Problem(msgspec.Struct, frozen=True):
    """One alert of a payload that could not be read, by its place in it."""

    index: int
    message: str


class Reading(msgspec.Struct):
    """What a payload holds: alerts, and those that could not be read."""

    alerts: list[AlertEvent] = []
    errors: list[Problem] = []
