"""Making, changing and ending silences, by Alertmanager's rules. The only code that writes them."""

from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import msgspec
from django.db import transaction
from django.db.models import QuerySet

from tocsin.alerts.models import Silence
from tocsin.core.errors import Rejected
from tocsin.core.matchers import Matcher, to_json

LISTED_FOR: Final = timedelta(days=5)  # after its end, as Alertmanager keeps it
MOST: Final = 10_000
MOST_MATCHERS: Final = 100
MOST_TEXT: Final = 8_192


class NoSuchSilence(Rejected):
    """There is no silence of that id."""


class Wanted(msgspec.Struct):
    """A silence as somebody asks for it; with an id it replaces that one."""

    matchers: list[Matcher]
    starts_at: datetime
    ends_at: datetime
    created_by: str = ""
    comment: str = ""
    annotations: dict[str, str] = {}
    id: str = ""


def put(*, wanted: Wanted, now: datetime) -> str:
    """Make or change a silence; return its id.

    One that cannot be changed in place, since it would match other alerts or another past, ends and
    another begins. Raises Rejected for one that cannot be, NoSuchSilence for an unknown id.
    """
    with transaction.atomic():
        old = _locked(wanted.id) if wanted.id else None
        _check(wanted, now)
        if old is not None and _changeable(old, wanted, now):
            return _change(old, wanted, now)
        if old is not None:
            _end(old, now)
        if Silence.objects.filter(ends_at__gt=now).count() >= MOST:
            raise Rejected(f"there are {MOST} silences in force or to come; end some first")
        return _make(wanted, now)


def expire(*, silence_id: str, now: datetime) -> None:
    """End a silence now; nothing happens to one that is over. Raises NoSuchSilence."""
    with transaction.atomic():
        _end(_locked(silence_id), now)


def listed(now: datetime) -> QuerySet[Silence]:
    """Those in force and to come, and those that ended lately."""
    return Silence.objects.filter(ends_at__gt=now - LISTED_FOR)


def _locked(silence_id: str) -> Silence:
    found = Silence.objects.select_for_update().filter(pk=silence_id).first()
    if found is None:
        raise NoSuchSilence("silence not found")
    return found


def _check(wanted: Wanted, now: datetime) -> None:
    if wanted.starts_at >= wanted.ends_at:
        raise Rejected("Failed to create silence: start time must be before end time")
    if wanted.ends_at < now:
        raise Rejected("Failed to create silence: end time can't be in the past")
    if not wanted.matchers or all(matcher.accepts("") for matcher in wanted.matchers):
        raise Rejected("silence invalid: at least one matcher must not match the empty string")
    if len(wanted.matchers) > MOST_MATCHERS:
        raise Rejected(f"silence invalid: {len(wanted.matchers)} matchers; at most {MOST_MATCHERS} are taken")
    _check_texts(wanted)


def _check_texts(wanted: Wanted) -> None:
    texts = [wanted.comment, *wanted.annotations, *wanted.annotations.values()]
    texts += [text for matcher in wanted.matchers for text in (matcher.name, matcher.value)]
    if len(wanted.created_by) > 255 or max(map(len, texts)) > MOST_TEXT or len(texts) > 1_000:
        raise Rejected(
            f"silence invalid: texts of at most {MOST_TEXT} characters are taken, 255 for the creator's name"
        )
    if any("\0" in text for text in (wanted.created_by, *texts)):
        raise Rejected("silence invalid: a text holds a NUL character")


def _changeable(old: Silence, wanted: Wanted, now: datetime) -> bool:
    if old.matchers != _shapes(wanted):
        return False
    state = old.state(now)
    if state == Silence.ACTIVE:
        return int(old.starts_at.timestamp()) == int(wanted.starts_at.timestamp())
    return state == Silence.PENDING and wanted.starts_at >= now


def _change(old: Silence, wanted: Wanted, now: datetime) -> str:
    if old.state(now) == Silence.PENDING:
        old.starts_at = wanted.starts_at
    old.ends_at, old.updated_at = wanted.ends_at, now
    old.created_by, old.comment, old.annotations = wanted.created_by, wanted.comment, wanted.annotations
    old.save()
    return old.id


def _make(wanted: Wanted, now: datetime) -> str:
    made = Silence.objects.create(
        id=str(uuid4()),
        matchers=_shapes(wanted),
        starts_at=max(wanted.starts_at, now),
        ends_at=wanted.ends_at,
        created_by=wanted.created_by,
        comment=wanted.comment,
        annotations=wanted.annotations,
        updated_at=now,
    )
    return made.id


def _end(silence: Silence, now: datetime) -> None:
    if silence.state(now) == Silence.EXPIRED:
        return
    silence.starts_at = min(silence.starts_at, now)
    silence.ends_at = silence.updated_at = now
    silence.save()


def _shapes(wanted: Wanted) -> list[dict[str, object]]:
    return [to_json(matcher) for matcher in wanted.matchers]
