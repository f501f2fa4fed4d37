"""What a driver reads from a payload: plain values, no database."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from tocsin.core import severity

Status = Literal["firing", "acknowledged", "resolved"]


class AlertEvent(msgspec.Struct, frozen=True, gc=False):
    """One alert as its source told it. Times are aware; None where the source gave none.
    ``acknowledged`` is one that still fires and that somebody took on at its source.

    ``ends_at`` says when it ended, ``expires_at`` until when a firing alert may be believed
    without hearing of it again. ``fingerprint`` is the source's own, else empty. ``reopens`` is set where
    the source's protocol says that to fire after an end is always to begin anew, whatever the times say.
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
    reopens: bool = False


class Problem(msgspec.Struct, frozen=True):
    """One alert of a payload that could not be read, by its place in it."""

    index: int
    message: str


class Beat(msgspec.Struct, frozen=True):
    """A sign of life: a job, a cron line or a monitor that says that it runs, or how it ended.

    ``token`` is the secret in its own URL, which alone says which heartbeat is meant; else ``name`` does,
    and the sender proves itself by a key. ``text`` is what the job printed, ``run`` tells runs of one job
    that overlap apart.
    """

    token: str = ""
    name: str = ""
    signal: Literal["success", "start", "failure", "log"] = "success"
    exit_status: int | None = None
    text: str = ""
    run: str = ""
    create: bool | None = None  # whether to make it where there is none; None: where its sender is trusted


class FeedEvent(msgspec.Struct, frozen=True):
    """Something that happened and is no alert, such as a deployment; see ``POST /api/events``."""

    type: str
    message: str
    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    source: str = ""
    correlation_id: str = ""
    data: dict[str, Any] = {}
    at: datetime | None = None


class Deed(msgspec.Struct, frozen=True):
    """What somebody did at another system's client about one alert, besides telling its state.

    ``amend`` changes what the alert says to ``labels`` and ``annotations`` (an empty value takes one
    away), its ``name`` and its ``severity``, as far as they are given; ``tag`` and ``untag`` change the
    comma-separated words of its label ``tags``; ``snooze`` lasts ``until``.
    """

    fingerprint: str
    kind: Literal["note", "snooze", "assign", "unacknowledge", "tag", "untag", "amend"]
    by: str = ""
    text: str = ""
    until: datetime | None = None
    name: str = ""
    severity: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class CheckTold(msgspec.Struct, frozen=True):
    """What one check found on another machine; ``round`` is the number of the round it belongs to."""

    check: str
    status: str
    message: str
    metrics: dict[str, float]
    at: datetime | None
    round: int


class Push(msgspec.Struct, frozen=True):
    """What an agent pushed, besides its alerts. ``spool`` names where it keeps what it could not send:
    rounds of one spool are numbered, and each counts once. ``interval`` and ``dropped`` may be missing."""

    instance_id: str
    hostname: str = ""
    version: str = ""
    spool: str = ""
    sent_at: datetime | None = None
    interval: int = 0  # seconds between its pushes; 0: unknown
    waiting: int = 0  # rounds that it still holds
    dropped: dict[str, int] = {}
    checks: tuple[CheckTold, ...] = ()
    makes: frozenset[str] | None = None  # all the checks that it makes, where it knows


Beside = Beat | FeedEvent | Deed | Push


class Reading(msgspec.Struct):
    """What a payload holds: alerts, those that could not be read, and what else was told."""

    alerts: list[AlertEvent] = []
    errors: list[Problem] = []
    beside: tuple[Beside, ...] = ()
