"""Heartbeats: making, changing and ending them, and taking their pings. The only code that writes them."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from tocsin.accounts.services import digest_of
from tocsin.alerts.events import AlertEvent, Beat
from tocsin.alerts.intake.beside import Told
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.alerts.models import Source
from tocsin.alerts.sources import check_labels
from tocsin.core.errors import Rejected, Unknown
from tocsin.core.ids import new_id
from tocsin.fleet.models import Heartbeat, Ping
from tocsin.fleet.schedule import Schedule, checked
from tocsin.fleet.verdict import SOURCE, judge, raised

MOST: Final = 10_000
PINGS_KEPT: Final = 100
LONGEST_TEXT: Final = 10_000
LONGEST_NAME: Final = 100
MOST_LABELS: Final = 50
UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOKEN: Final = re.compile(r"[\w.~-]{6,100}", re.ASCII)
NOT_FOUND: Final = "not found"


def create(
    *,
    name: str,
    now: datetime,
    token: str = "",
    schedule: Schedule | None = None,
    labels: Mapping[str, str] | None = None,
    sender: str = "",
) -> Heartbeat:
    """Make one; nothing is expected of it before its first ping. Raises Rejected where the name or the
    token is taken, or something that was given cannot be used."""
    kept = checked(schedule or Schedule())
    token = read_token(token) if token else str(uuid4())
    with transaction.atomic():
        _check(name, labels or {})
        if Heartbeat.objects.count() >= MOST:
            raise Rejected(f"there are {MOST:,} heartbeats; remove some first")
        if Heartbeat.objects.filter(digest=digest_of(token)).exists():
            raise Rejected("there is a heartbeat with this token")
        return Heartbeat.objects.create(
            name=name,
            token=token,
            digest=digest_of(token),
            labels=dict(labels or {}),
            period=kept.period,
            cron=kept.cron,
            timezone=kept.timezone,
            grace=kept.grace,
            sender=sender,
            created_at=now,
        )


def change(
    *, heartbeat_id: int, name: str, schedule: Schedule, labels: Mapping[str, str], now: datetime
) -> Heartbeat:
    """Change one; the watch looks at it anew. Raises Rejected, Unknown where it is gone."""
    kept = checked(schedule)
    with transaction.atomic():
        heartbeat = _locked(heartbeat_id)
        _check(name, labels, heartbeat)
        if kept != heartbeat.schedule and heartbeat.state in (Heartbeat.UP, Heartbeat.DOWN):
            heartbeat.expected_at = kept.next_after(heartbeat.last_ping_at or now)
        heartbeat.name, heartbeat.labels = name, dict(labels)
        heartbeat.period, heartbeat.cron = kept.period, kept.cron
        heartbeat.timezone, heartbeat.grace = kept.timezone, kept.grace
        heartbeat.due_at = now
        heartbeat.save()
    return heartbeat


def pause(*, heartbeat_id: int, now: datetime) -> Heartbeat:
    """Expect nothing of it until it is resumed, or pings again. Its alert ends. Raises Unknown."""
    with transaction.atomic():
        heartbeat = _locked(heartbeat_id)
        _end_alert(heartbeat, now)
        heartbeat.state = Heartbeat.PAUSED
        heartbeat.started_at = heartbeat.expected_at = heartbeat.due_at = None
        heartbeat.run = ""
        heartbeat.save()
    return heartbeat


def resume(*, heartbeat_id: int, now: datetime) -> Heartbeat:
    """Expect it from now on, where it ever came. Raises Unknown, Rejected where it is not paused."""
    with transaction.atomic():
        heartbeat = _locked(heartbeat_id)
        if heartbeat.state != Heartbeat.PAUSED:
            raise Rejected(f"{heartbeat.name} is not paused")
        _unpause(heartbeat)
        if heartbeat.state == Heartbeat.UP:
            heartbeat.expected_at = heartbeat.schedule.next_after(now)
        heartbeat.due_at = heartbeat.overdue_at
        heartbeat.save()
    return heartbeat


def remove(*, heartbeat_id: int, now: datetime) -> None:
    """Let go of one and of its pings. Its alert ends. Raises Unknown."""
    with transaction.atomic():
        heartbeat = _locked(heartbeat_id)
        _end_alert(heartbeat, now)
        heartbeat.delete()


def named(name: str) -> Heartbeat:
    """The one of a name. Raises Unknown."""
    found = Heartbeat.objects.filter(name=name).first()
    if found is None:
        raise Unknown(f"there is no heartbeat named {name!r}")
    return found


def ping_url(heartbeat: Heartbeat) -> str:
    """Where its job tells that it ran."""
    path = "ping" if UUID.fullmatch(heartbeat.token) else "api/push"
    return f"{settings.PUBLIC_URL}/{path}/{heartbeat.token}"


def read_token(text: str) -> str:
    """A token in the one form in which it is looked for. Raises Rejected."""
    small = text.strip().lower()
    if UUID.fullmatch(small):
        return small
    if not _TOKEN.fullmatch(text.strip()):
        raise Rejected("the token must be a UUID, or 6 to 100 letters, digits, dots, -, _ or ~")
    return text.strip()


def take(beats: Sequence[Beat], told: Told) -> bool:
    """Keep signs of life; say whether one made a heartbeat. What the watch has not looked at yet is told
    first, so that a failure is told though the next run went well. Raises Unknown, Rejected."""
    try:
        return _take(beats, told)
    except IntegrityError:  # another process made the same one in this moment
        return _take(beats, told)


def _take(beats: Sequence[Beat], told: Told) -> bool:
    made = False
    with transaction.atomic():
        for beat in beats:
            heartbeat = _meant(beat, told)
            if heartbeat is None:
                heartbeat, made = _adopt(beat, told), True
            elif heartbeat.due_at is not None and heartbeat.due_at <= told.received_at:
                tell([(heartbeat, judge(heartbeat, told.received_at))], told.received_at)
            _record(heartbeat, beat, told)
            heartbeat.save()
    return made


def tell(judged: Sequence[tuple[Heartbeat, AlertEvent | None]], now: datetime) -> None:
    """Journal what the watch found; part of the caller's transaction."""
    posts = [
        Post([alert], SOURCE, _trace_of(heartbeat), now, heartbeat.sender)
        for heartbeat, alert in judged
        if alert is not None
    ]
    if posts:
        Journal().commit(posts)


def _trace_of(heartbeat: Heartbeat) -> str:
    """What a ping brought about is found by that ping's trace; its absence has one of its own."""
    told_by_it = heartbeat.last_signal == Heartbeat.FAILURE or heartbeat.state == Heartbeat.UP
    return (told_by_it and heartbeat.trace_id) or new_id()


def _check(name: str, labels: Mapping[str, str], old: Heartbeat | None = None) -> None:
    if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Rejected(f"the name must be 1 to {LONGEST_NAME} printable characters")
    others = Heartbeat.objects.exclude(pk=old.pk) if old else Heartbeat.objects
    if others.filter(name=name).exists():
        raise Rejected(f"there is a heartbeat named {name!r}; choose another name")
    if len(labels) > MOST_LABELS:
        raise Rejected(f"a heartbeat can have {MOST_LABELS} labels at most")
    check_labels(labels)


def _rows() -> QuerySet[Heartbeat]:
    """To be locked. Their tokens stay as they are: to read them all would decrypt, to save encrypt anew."""
    return Heartbeat.objects.select_for_update().defer("token")


def _locked(heartbeat_id: int) -> Heartbeat:
    found = _rows().filter(pk=heartbeat_id).first()
    if found is None:
        raise Unknown(f"there is no heartbeat {heartbeat_id}")
    return found


def _end_alert(heartbeat: Heartbeat, now: datetime) -> None:
    if heartbeat.state == Heartbeat.DOWN:
        Journal().commit([Post([raised(heartbeat)], SOURCE, new_id(), now, heartbeat.sender)])


def _unpause(heartbeat: Heartbeat) -> None:
    heartbeat.state = Heartbeat.UP if heartbeat.last_ping_at else Heartbeat.NEW
    heartbeat.last_signal = ""


def _meant(beat: Beat, told: Told) -> Heartbeat | None:
    """The heartbeat that a sign of life is of, locked. Raises Unknown where it may not be made."""
    known = _rows()
    name = _name_of(beat, told)
    if name and not told.trusted:
        raise Unknown(NOT_FOUND)
    found = (
        known.filter(name=name).first()
        if name
        else known.filter(digest=digest_of(_as_kept(beat.token))).first()
    )
    if found is None and (beat.create is False or not told.trusted):
        raise Unknown(NOT_FOUND)
    return found


def _as_kept(token: str) -> str:
    """A UUID's letters may be large or small."""
    return token.lower() if UUID.fullmatch(token.lower()) else token


def _name_of(beat: Beat, told: Told) -> str:
    """The name it goes by, where it goes by one: a source's own token stands for the source's name."""
    if not beat.token:
        return beat.name
    own = Source.objects.filter(name=told.sender, digest=digest_of(beat.token)) if told.sender else None
    return told.sender if own is not None and own.exists() else ""


def _adopt(beat: Beat, told: Told) -> Heartbeat:
    """Make a heartbeat of what is not known yet. It has no schedule, so that it is never late."""
    name = _name_of(beat, told)
    token = "" if name else read_token(beat.token)
    return create(name=name or _free_name(token), token=token, now=told.received_at, sender=told.sender)


def _free_name(token: str) -> str:
    """A short token would be told by its beginning: its digest stands for it then."""
    told = token if UUID.fullmatch(token) else digest_of(token)
    names = [f"heartbeat-{told[:length]}" for length in (8, 18, 36)]
    taken = set(Heartbeat.objects.filter(name__in=names).values_list("name", flat=True))
    return next(name for name in names if name not in taken)


def _record(heartbeat: Heartbeat, beat: Beat, told: Told) -> None:
    """Put down a ping, and what it changes. Whether it is up or down the watch decides."""
    now, failed = told.received_at, beat.signal == "failure" or bool(beat.exit_status)
    signal = "failure" if failed and beat.signal != "log" else beat.signal
    run, text = (
        beat.run[:64].replace("\0", ""),
        beat.text[-LONGEST_TEXT:].replace("\0", "\N{REPLACEMENT CHARACTER}"),
    )
    ping = Ping(
        heartbeat=heartbeat,
        at=now,
        signal=signal,
        exit_status=beat.exit_status,
        run=run,
        text=text,
        trace_id=told.trace_id,
    )
    if signal != "log":
        _signalled(heartbeat, ping)
    ping.save()
    _thin(heartbeat)


def _signalled(heartbeat: Heartbeat, ping: Ping) -> None:
    now = ping.at
    if heartbeat.state == Heartbeat.PAUSED:
        _unpause(heartbeat)
    heartbeat.last_ping_at, heartbeat.last_signal, heartbeat.trace_id = now, ping.signal, ping.trace_id
    if ping.signal == Heartbeat.START:
        heartbeat.started_at, heartbeat.run = now, ping.run
    else:
        ping.duration = _duration(heartbeat, ping)
        heartbeat.last_exit_status, heartbeat.last_duration = ping.exit_status, ping.duration
        heartbeat.last_text = ping.text
        heartbeat.expected_at = heartbeat.schedule.next_after(now)
        if ping.signal == Heartbeat.FAILURE or ping.run in ("", heartbeat.run):
            heartbeat.started_at, heartbeat.run = None, ""
    heartbeat.due_at = _due(heartbeat, now)


def _duration(heartbeat: Heartbeat, ping: Ping) -> float | None:
    """How long the run took that a ping ends; runs that overlap are told apart by their ids."""
    began = heartbeat.started_at if ping.run in ("", heartbeat.run) else None
    if began is None and ping.run and heartbeat.pk:
        starts = heartbeat.pings.filter(signal=Heartbeat.START, run=ping.run)
        began = starts.order_by("-pk").values_list("at", flat=True).first()
    return max(0.0, (ping.at - began).total_seconds()) if began else None


def _due(heartbeat: Heartbeat, now: datetime) -> datetime | None:
    """At once where it may have failed or recovered; else when it will be overdue."""
    down = heartbeat.state == Heartbeat.DOWN
    if heartbeat.last_signal == Heartbeat.FAILURE or (down and heartbeat.last_signal == Heartbeat.SUCCESS):
        return now
    if down:
        return None
    if heartbeat.last_signal == Heartbeat.SUCCESS:
        heartbeat.state = Heartbeat.UP
    return heartbeat.overdue_at


def _thin(heartbeat: Heartbeat) -> None:
    kept = heartbeat.pings.order_by("-pk").values_list("pk", flat=True)
    for oldest in kept[PINGS_KEPT : PINGS_KEPT + 1]:
        heartbeat.pings.filter(pk__lte=oldest).delete()
