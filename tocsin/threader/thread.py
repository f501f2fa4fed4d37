"""What a group's thread has told, and what a webhook adds to it. Values in, values out.

Each alert is told once when it fires and once when it ends. That is decided alert by alert, from when it
began and ended, so that the same webhook twice, from two peers, or after a newer one adds nothing: in
whatever order webhooks come, a thread ends at the same state.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tocsin.core.severity import RANK, WARNING
from tocsin.notify.message import ALERTS_SHOWN

FIRING, RESOLVED = "firing", "resolved"
# A peer that has not heard of an end yet may say for so long that an alert still fires.
LATE: Final = timedelta(seconds=60)
REMEMBERED: Final = timedelta(hours=1)  # an alert that ended
SILENT: Final = timedelta(days=30)  # a thread that nobody says anything of


class Alert(msgspec.Struct, frozen=True):
    """One alert of a webhook, with what is shown of it."""

    fingerprint: str
    status: str
    severity: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    name: str = ""
    where: str = ""
    text: str = ""


class Webhook(msgspec.Struct, frozen=True):
    """What one says of a group, as it is kept until it is told."""

    key: str
    over: bool  # Alertmanager says that none of the group fires
    title: str
    alerts: list[Alert]
    truncated: int
    url: str
    runbook: str
    trace_id: str
    received_at: datetime


class Known(msgspec.Struct, frozen=True):
    """What was told of an alert last, and when."""

    status: str
    severity: str
    started_at: datetime | None
    ended_at: datetime | None
    at: datetime


class Thread(msgspec.Struct):
    """A group's thread. ``handle`` finds its head in Slack; ``shown`` are the alerts in that head."""

    id: str
    opened_at: datetime
    told: int = 0  # messages
    handle: dict[str, str] = {}
    over_at: datetime | None = None
    alerts: dict[str, Known] = {}
    shown: dict[str, Alert] = {}

    @property
    def firing(self) -> int:
        """How many of its alerts fire, as far as told."""
        return sum(known.status == FIRING for known in self.alerts.values())

    @property
    def severity(self) -> str:
        """That of the worst that fires; of the worst of all once none does."""
        levels = [known.severity for known in self.alerts.values() if known.status == FIRING]
        levels = levels or [known.severity for known in self.alerts.values()]
        return max(levels, key=lambda level: RANK.get(level, 0), default=WARNING)


class News(msgspec.Struct, frozen=True):
    """What is to be told: the thread as it will be then, and the alerts of which something is new."""

    thread: Thread
    reason: str  # fired, changed, resolved or refired
    alerts: list[Alert]
    last: Webhook  # the newest


def follow(
    thread: Thread | None, webhooks: Sequence[Webhook], number: str, now: datetime, lasting: timedelta
) -> tuple[Thread, News | None]:
    """The thread after these webhooks, and what they add to what was told, as one message; None where that
    is nothing.

    A thread that is over takes what fires again for so ``lasting``; after that a new one begins, called
    ``number``.
    """
    after = Thread(number, now) if thread is None else _copied(thread)
    told: dict[str, Alert] = {}
    for webhook in webhooks:
        told.update(_taken(after, webhook, now))
    if not told:
        return after, None
    last = webhooks[-1]
    if after.firing and after.over_at is not None and now - after.over_at > lasting:
        after = msgspec.structs.replace(after, id=number, opened_at=now, told=0, handle={}, shown={})
        after.over_at = None
    reason = _reason(after, last)
    after.over_at = (after.over_at or now) if reason == RESOLVED else None
    _show(after, told.values())
    after.told += 1
    return after, News(after, reason, list(told.values()), last)


def forgotten(thread: Thread, now: datetime) -> Thread:
    """The thread without alerts that ended long ago."""
    kept = {
        name: known
        for name, known in thread.alerts.items()
        if known.status == FIRING or now - known.at < REMEMBERED
    }
    return msgspec.structs.replace(thread, alerts=kept)


def kept_for(thread: Thread, lasting: timedelta) -> timedelta:
    """How long a thread of which nothing more is heard is remembered."""
    return SILENT if thread.over_at is None else max(lasting, REMEMBERED)


def _copied(thread: Thread) -> Thread:
    return msgspec.structs.replace(thread, alerts=dict(thread.alerts), shown=dict(thread.shown))


def _reason(after: Thread, last: Webhook) -> str:
    if not after.firing and (last.over or not last.truncated):
        return RESOLVED
    if not after.told:
        return "fired"
    return "refired" if after.over_at is not None else "changed"


def _taken(after: Thread, webhook: Webhook, now: datetime) -> dict[str, Alert]:
    """Put into the thread what is new in a webhook; return that."""
    told = {}
    for alert in webhook.alerts:
        known = after.alerts.get(alert.fingerprint)
        if known is None or _adds(alert, known, now):
            told[alert.fingerprint] = alert
            after.alerts[alert.fingerprint] = _known(alert, now)
        elif alert.status == known.status:
            after.alerts[alert.fingerprint] = _later(known, alert)
    if told and webhook.over:
        _end_the_rest(after, webhook, now)
    return told


def _known(alert: Alert, now: datetime) -> Known:
    return Known(alert.status, alert.severity, alert.started_at, alert.ended_at, now)


def _later(known: Known, alert: Alert) -> Known:
    """What is known, with the times of an episode that began while its beginning was not told."""
    if alert.started_at is None or known.started_at is None or alert.started_at <= known.started_at:
        return known
    ended_at = max(filter(None, (known.ended_at, alert.ended_at)), default=None)
    return msgspec.structs.replace(known, started_at=alert.started_at, ended_at=ended_at)


def _adds(alert: Alert, known: Known, now: datetime) -> bool:
    """Whether this says something of an alert that was not told yet."""
    if alert.status == known.status:  # of another episode, where one ended before this one began
        ended = known.ended_at if alert.status == RESOLVED else None
        return bool(ended and alert.started_at and alert.started_at > ended)
    if alert.status == RESOLVED:  # the end of what was told, or one from before that?
        return _after(alert.ended_at, known.started_at) or _after(alert.started_at, known.started_at, True)
    return _after(alert.started_at, known.ended_at or known.started_at) or now - known.at > LATE


def _after(moment: datetime | None, other: datetime | None, or_then: bool = False) -> bool:
    """Whether one came after the other; where one is not known, the order of arrival says so."""
    if moment is None or other is None:
        return True
    return moment > other or (or_then and moment == other)


def _end_the_rest(after: Thread, webhook: Webhook, now: datetime) -> None:
    """Alerts that were silenced or forgotten meanwhile are not told of again; the group's end is theirs."""
    ends = [alert.ended_at for alert in webhook.alerts if alert.ended_at is not None]
    end = max(ends, default=None)
    for name, known in after.alerts.items():
        if known.status == FIRING and _after(end, known.started_at):
            ended = msgspec.structs.replace(known, status=RESOLVED, ended_at=end, at=now)
            after.alerts[name] = ended
            if name in after.shown:
                shown = after.shown[name]
                after.shown[name] = msgspec.structs.replace(shown, status=RESOLVED, ended_at=end)


def _show(after: Thread, told: Iterable[Alert]) -> None:
    """Keep in the head what it shows: what fires before what is over, as much as fits."""
    for alert in told:
        after.shown[alert.fingerprint] = alert
    ranked = sorted(after.shown.values(), key=lambda alert: alert.status != FIRING)
    after.shown = {alert.fingerprint: alert for alert in ranked[:ALERTS_SHOWN]}
