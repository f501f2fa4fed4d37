"""Senders with a token of their own: making, listing and revoking them, and labelling what they send.
The only code that writes them."""

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from tocsin.accounts.services import digest_of
from tocsin.alerts.events import AlertEvent, Reading
from tocsin.alerts.intake.limits import MAX_NAME
from tocsin.alerts.mapping import checked
from tocsin.alerts.models import Source
from tocsin.core.errors import Rejected

NAME: Final = re.compile(r"[\w.-]{1,64}")
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
LONGEST: Final = 1_000
MOST_GROUPING: Final = 20
MOST_INCIDENTS: Final = 1_000_000
SHOWN: Final = 6  # characters of a token that tell it from others


class Sender(msgspec.Struct, frozen=True):
    """A source as intake knows it."""

    name: str
    labels: dict[str, str]
    enabled: bool
    mapping: dict[str, Any] = {}
    agent: bool = False  # one of our own, whose name is its instance's: it may push, and for itself alone


def create_source(
    *,
    name: str,
    labels: Mapping[str, str],
    now: datetime,
    mapping: Mapping[str, Any] | None = None,
    group_by: Sequence[str] = (),
    budget: int | None = None,
) -> str:
    """Make a source and return its token, 32 hex digits, which cannot be read again. What it posts to
    its own URL is read by ``mapping``, where one is given. ``group_by`` names the labels that put its
    alerts into one incident, ``budget`` how many incidents it may open a minute, where these are not
    as for all.

    Raises Rejected where the name is taken, or something that was given cannot be used.
    """
    how = checked(mapping).model_dump(exclude_defaults=True) if mapping else {}
    check_name(name)
    check_labels(labels)
    check_grouping(group_by)
    if budget is not None and not 0 <= budget <= MOST_INCIDENTS:
        raise Rejected(f"the budget must be 0 to {MOST_INCIDENTS} incidents a minute")
    if Source.objects.filter(name=name).exists():
        raise Rejected(f"there is, or was, a source named {name!r}; choose another name")
    token = secrets.token_hex(16)
    digest, prefix = digest_of(token), token[:SHOWN]
    Source.objects.create(
        name=name,
        digest=digest,
        prefix=prefix,
        labels=dict(labels),
        mapping=how,
        group_by=list(group_by),
        budget=budget,
        created_at=now,
    )
    return token


def check_name(name: str) -> None:
    """Raises Rejected for what cannot be a source's name."""
    if not NAME.fullmatch(name):
        raise Rejected(f"the name {name[:64]!r} must be 1 to 64 letters, digits, dots, - or _")


def check_labels(labels: Mapping[str, str]) -> None:
    """Raises Rejected for the first label that no alert could bear."""
    for label, value in labels.items():
        if not LABEL.fullmatch(label) or not value or len(value) > LONGEST or not value.isprintable():
            raise Rejected(f"the label {label[:64]}={value[:64]!r} cannot be used: give it as name=value")


def check_grouping(group_by: Sequence[str]) -> None:
    """Raises Rejected for what alerts cannot be grouped by."""
    for label in group_by:
        if not label or len(label) > MAX_NAME or not label.isprintable():
            raise Rejected(f"{label[:64]!r} is no label to group by")
    if len(group_by) > MOST_GROUPING:
        raise Rejected(f"alerts can be grouped by {MOST_GROUPING} labels at most")


def revoke_source(*, name: str) -> None:
    """End a token's life. Raises Rejected where there is no such source in force."""
    if not Source.objects.filter(name=name, enabled=True).update(enabled=False):
        raise Rejected(f"there is no source named {name!r} in force")


def sender_of(source: Source) -> Sender:
    """A source as what labels its alerts."""
    return Sender(source.name, source.labels, source.enabled, source.mapping)


def senders() -> dict[str, Sender]:
    """Every source by its token's digest, also those that were revoked."""
    return {row.digest: sender_of(row) for row in Source.objects.all()}


def knows(token: str) -> bool:
    """Whether a token opens the ways in."""
    return Source.objects.filter(digest=digest_of(token), enabled=True).exists()


def labelled(reading: Reading, sender: Sender) -> Reading:
    """What a source sent, with its labels where they are lacking and ``source`` set to its name. What
    the alert itself calls its source becomes ``origin``. What an agent pushed stays as it is."""
    if sender.agent:
        return reading
    alerts = [_labelled(event, sender) for event in reading.alerts]
    return Reading(alerts, reading.errors, reading.beside)


def _labelled(event: AlertEvent, sender: Sender) -> AlertEvent:
    labels = {**sender.labels, **event.labels}
    if own := event.labels.get("source"):
        labels.setdefault("origin", own)
    labels["source"] = sender.name
    return msgspec.structs.replace(event, labels=labels)
