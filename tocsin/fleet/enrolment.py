"""How an agent comes by a key of its own: a short-lived token is traded for it. Both are kept as hashes."""

import secrets
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F

from tocsin.accounts.services import digest_of
from tocsin.alerts.drivers.cluster import LONGEST_ID
from tocsin.alerts.sources import Sender
from tocsin.core.errors import Rejected, Unknown
from tocsin.fleet.instances import named
from tocsin.fleet.models import Enrolment, Instance

USUAL: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=7)
MOST_USES: Final = 10_000
SHOWN: Final = 6


class Taken(Rejected):
    """The instance has a key already."""


def offer(*, now: datetime, lifetime: timedelta = USUAL, uses: int = 1, by: str = "") -> str:
    """Make a token that so many agents can enrol with, and return it; it cannot be read again. Raises
    Rejected."""
    if not timedelta(0) < lifetime <= LONGEST or not 1 <= uses <= MOST_USES:
        raise Rejected(f"a token lasts up to {LONGEST.days} days and serves 1 to {MOST_USES:,} agents")
    token = secrets.token_urlsafe(24)
    Enrolment.objects.filter(expires_at__lt=now).delete()
    Enrolment.objects.create(
        digest=digest_of(token),
        prefix=token[:SHOWN],
        made_by=by[:150],
        created_at=now,
        expires_at=now + lifetime,
        uses_left=uses,
    )
    return token


def enrol(*, token: str, instance_id: str, hostname: str, version: str, now: datetime) -> str:
    """Trade a token for an instance's key, and return that; it cannot be read again. Raises Unknown for a
    token that is none, is used up or too old, Taken where the instance has a key in force."""
    if not instance_id or len(instance_id) > LONGEST_ID or not instance_id.isprintable():
        raise Rejected(f"instance_id: expected 1 to {LONGEST_ID} printable characters")
    with transaction.atomic():
        good = Enrolment.objects.filter(digest=digest_of(token), expires_at__gt=now, uses_left__gt=0)
        if not good.update(uses_left=F("uses_left") - 1):  # decides between two who come at once
            raise Unknown("this token is unknown, used up or too old: ask for another one")
        instance = Instance.objects.select_for_update().filter(instance_id=instance_id).first()
        if instance is None:
            instance = Instance(instance_id=instance_id, first_seen_at=now, last_seen_at=now)
        if instance.key_digest and instance.key_revoked_at is None:
            raise Taken(f"{instance_id} has a key already: revoke that first, or choose another instance id")
        key = f"tocsin_agent_{secrets.token_urlsafe(32)}"
        instance.hostname, instance.version = hostname[:255], version[:64]
        instance.key_digest, instance.key_prefix = digest_of(key), key[: len("tocsin_agent_") + 3]
        instance.key_made_at, instance.key_revoked_at = now, None
        instance.save()
    return key


def revoke(*, instance_id: str, now: datetime) -> None:
    """End the life of an instance's key. Raises Unknown, Rejected where it has none in force."""
    with transaction.atomic():
        instance = named(instance_id, lock=True)
        if not instance.key_digest or instance.key_revoked_at is not None:
            raise Rejected(f"{instance_id} has no key in force")
        instance.key_revoked_at = now
        instance.save(update_fields=["key_revoked_at"])


def holder(key: str) -> Instance | None:
    """The instance whose key in force this is, without what its checks found."""
    known = Instance.objects.filter(key_digest=digest_of(key), key_revoked_at=None)
    return known.defer("checks", "spools", "dropped").first()


def agents() -> dict[str, Sender]:
    """Every agent by its key's digest, also those whose key was revoked, as intake knows senders."""
    rows = Instance.objects.exclude(key_digest=None).values_list(
        "key_digest", "instance_id", "key_revoked_at"
    )
    return {digest: Sender(name, {}, revoked is None, agent=True) for digest, name, revoked in rows if digest}
