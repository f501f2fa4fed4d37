"""What one message changes about an alert. Values in, values out.

State follows the source's own times, so that repeated, late and out-of-order messages change
nothing: a message about an episode that is already over does not reopen it.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from tocsin.alerts.events import AlertEvent

FIRED: Final = "fired"
REFIRED: Final = "refired"
SEVERITY: Final = "severity"
RESOLVED: Final = "resolved"
EXPIRED: Final = "expired"
ACKNOWLEDGED: Final = "acknowledged"
UNSILENCED: Final = "unsilenced"  # no message makes it: a silence ended, and the alert still fires
MOST_AHEAD: Final = timedelta(days=1)  # a clock further ahead is wrong: its ends would hide what comes next
Change = Literal["fired", "refired", "severity", "resolved", "expired", "acknowledged"]
OPENING: Final = frozenset({FIRED, REFIRED})
ENDING: Final = frozenset({RESOLVED, EXPIRED})


class State(msgspec.Struct, gc=False):
    """The current state of one fingerprint; ``timed_out`` where it ended by expiry, not by its source.
    While it fires, ``ended_at`` is when its source ended the episode before."""

    status: str
    severity: str
    started_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None
    timed_out: bool
    episode: int
    annotations: str


def opened(
    event: AlertEvent, annotations: str, now: datetime, episode: int = 1, last_end: datetime | None = None
) -> State:
    """The state of an alert that begins to fire."""
    return State(
        status="firing",
        severity=event.severity,
        started_at=now if event.starts_at is None else min(event.starts_at, now),
        ended_at=last_end,
        expires_at=event.expires_at,
        timed_out=False,
        episode=episode,
        annotations=annotations,
    )


def apply(state: State, event: AlertEvent, annotations: str, now: datetime) -> tuple[State, Change | None]:
    """The state after a message, and the material change it made, if any."""
    if event.status == "resolved":
        return _resolved(state, event, now)
    if event.status == "acknowledged":
        return state, ACKNOWLEDGED if state.status == "firing" else None
    if state.status == "firing":
        return _firing_on(state, event, annotations)
    if _over(state, event):
        return state, None
    last_end = None if state.timed_out else state.ended_at
    return opened(event, annotations, now, state.episode + 1, last_end), REFIRED


def _firing_on(state: State, event: AlertEvent, annotations: str) -> tuple[State, Change | None]:
    moved = event.severity != state.severity
    after = State(
        status="firing",
        severity=event.severity,
        started_at=_began(state, event),
        ended_at=state.ended_at,
        expires_at=event.expires_at,
        timed_out=False,
        episode=state.episode,
        annotations=annotations,
    )
    return after, SEVERITY if moved else None


def _began(state: State, event: AlertEvent) -> datetime:
    """The earliest start heard of, as two sources of one alert may differ. After a first episode an
    earlier start is that one's, told again, and must not draw its end into this one."""
    if event.starts_at is None or state.episode > 1:
        return state.started_at
    return min(state.started_at, event.starts_at)


def _resolved(state: State, event: AlertEvent, now: datetime) -> tuple[State, Change | None]:
    if state.status != "firing":
        return state, None
    if event.ends_at is None:
        return ended(state, now, timed_out=False), RESOLVED
    if _earlier(state, event, event.ends_at):
        return state, None
    return ended(state, min(event.ends_at, now + MOST_AHEAD), timed_out=False), RESOLVED


def _earlier(state: State, event: AlertEvent, ends_at: datetime) -> bool:
    """Whether an end is that of an episode before this one, which may have begun in the same second.

    Where the source tells no start, ours is by another clock, and only its own last end compares.
    """
    if event.starts_at is None:
        return state.ended_at is not None and ends_at <= state.ended_at
    if ends_at == state.started_at:
        return event.starts_at < state.started_at
    return ends_at < state.started_at


def ended(state: State, ended_at: datetime, timed_out: bool) -> State:
    """The state of an alert that ended."""
    return msgspec.structs.replace(
        state, status="resolved", ended_at=ended_at, expires_at=None, timed_out=timed_out
    )


def _over(state: State, event: AlertEvent) -> bool:
    """Whether a firing message speaks of the episode that has already ended.

    After a timeout the same start means that the source is back and it still fires.
    """
    if event.reopens or event.starts_at is None or state.ended_at is None or state.timed_out:
        return False
    return event.starts_at <= state.started_at or event.starts_at < state.ended_at
