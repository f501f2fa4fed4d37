"""The checks of a Healthchecks account become heartbeats, with the ping URLs that their jobs have."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from django.db import transaction

from tocsin.accounts.services import digest_of
from tocsin.alerts.sources import LABEL
from tocsin.core.errors import Rejected
from tocsin.fleet import heartbeats
from tocsin.fleet.models import Heartbeat
from tocsin.fleet.schedule import GRACE, Schedule

_UUID_AT_END: Final = re.compile(rf"({heartbeats.UUID.pattern})/?$", re.I)
LARGEST: Final = 50 * 1024 * 1024


class Moved(msgspec.Struct):
    """One check, and what became of it: ``reason`` says why it could not be taken over."""

    check: str
    heartbeat: str = ""
    schedule: str = ""
    reason: str = ""


def checks_in(file: str) -> list[Any]:
    """The checks in a file that holds the answer of ``GET /api/v3/checks/``. Raises Rejected."""
    try:
        path = Path(file)
        if path.stat().st_size > LARGEST:
            raise Rejected(f"{file} is too large to be a list of checks")
        read = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise Rejected(f"{file} cannot be read: {error}") from error
    found = read.get("checks") if isinstance(read, dict) else read
    if not isinstance(found, list):
        raise Rejected(f"{file} holds no list of checks: save the answer of GET /api/v3/checks/ there")
    return found


def move(checks: list[Any], now: datetime) -> Iterator[Moved]:
    """Take each over; one that cannot be costs no other. One that is known by its UUID is changed."""
    for place, check in enumerate(checks, 1):
        called = _text(check, "name") or _text(check, "slug") or f"check {place}"
        try:
            made = _moved(check, now)
        except Rejected as error:
            yield Moved(called, reason=str(error))
        else:
            yield Moved(called, made.name, made.schedule.words())


def _moved(check: Any, now: datetime) -> Heartbeat:
    token, schedule, labels = _uuid(check), _schedule(check), _labels(_text(check, "tags"))
    with transaction.atomic():
        known = Heartbeat.objects.filter(digest=digest_of(token)).first()
        name = _name(check, token, known)
        if known is None:
            made = heartbeats.create(name=name, token=token, schedule=schedule, labels=labels, now=now)
        else:
            made = heartbeats.change(
                heartbeat_id=known.pk, name=name, schedule=schedule, labels=labels, now=now
            )
        if _text(check, "status") == "paused" and known is None:
            made = heartbeats.pause(heartbeat_id=made.pk, now=now)
    return made


def _uuid(check: Any) -> str:
    found = _UUID_AT_END.search(_text(check, "ping_url") or _text(check, "uuid"))
    if found is None:
        raise Rejected("its ping URL is missing: ask with a key that may write, a read-only one hides it")
    return found[1].lower()


def _schedule(check: Mapping[str, Any]) -> Schedule:
    grace = _number(check, "grace") or GRACE
    if cron := _text(check, "schedule"):
        return Schedule(cron=cron, timezone=_text(check, "tz") or "UTC", grace=grace)
    return Schedule(period=_number(check, "timeout"), grace=grace)


def _name(check: Any, token: str, known: Heartbeat | None) -> str:
    """Its slug, as pings by slug look for it; something else where another heartbeat has that name."""
    others = Heartbeat.objects.exclude(pk=known.pk) if known else Heartbeat.objects
    wanted = [_text(check, "slug"), _text(check, "name")]
    wanted.append(f"{wanted[0] or wanted[1] or 'heartbeat'}-{token[:8]}")
    names = [name[: heartbeats.LONGEST_NAME].strip() for name in wanted if name]
    return next((name for name in names if not others.filter(name=name).exists()), names[-1])


def _labels(tags: str) -> dict[str, str]:
    """Tags such as ``env=prod`` become labels, the others the label ``tags``."""
    labels, words = {}, []
    for tag in tags.split():
        name, _, value = tag.partition("=")
        if value and LABEL.fullmatch(name):
            labels[name] = value
        else:
            words.append(tag)
    return labels | ({"tags": ",".join(words)} if words else {})


def _text(check: Any, field: str) -> str:
    value = check.get(field) if isinstance(check, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _number(check: Mapping[str, Any], field: str) -> int | None:
    value = check.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
