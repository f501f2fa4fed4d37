"""Make, check and revoke API keys and sign-in links; tell who people are in chat."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db.models import QuerySet

from tocsin.accounts.models import ApiKey, ChatIdentity, SignInLink
from tocsin.core.errors import Rejected

LINK_LIFETIME = timedelta(hours=1)
ADMIN = "admin"


def digest_of(secret: str) -> str:
    """What is kept of a secret. Our secrets are long and random, so one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create_api_key(*, name: str, scope: str, now: datetime) -> str:
    """Make a key and return it; it cannot be read again. Raises Rejected when the name is taken."""
    if ApiKey.objects.filter(name=name).exists():
        raise Rejected(f"there is, or was, a key named {name!r}; choose another name")
    key = f"tocsin_{secrets.token_urlsafe(32)}"
    ApiKey.objects.create(name=name, digest=digest_of(key), prefix=key[:12], scope=scope, created_at=now)
    return key


def revoke_api_key(*, name: str, now: datetime) -> None:
    """End a key's life. Raises Rejected when there is none of that name."""
    if not ApiKey.objects.filter(name=name, revoked_at=None).update(revoked_at=now):
        raise Rejected(f"there is no key named {name!r} in force")


def keys_in_force() -> dict[str, str]:
    """Scope by digest of every key that has not been revoked."""
    return dict(ApiKey.objects.filter(revoked_at=None).values_list("digest", "scope"))


def scope_of_key(key: str) -> str | None:
    """What a key allows; None where it is unknown or revoked."""
    found = ApiKey.objects.filter(digest=digest_of(key), revoked_at=None)
    return found.values_list("scope", flat=True).first()


def name_of_key(key: str) -> str:
    """What a key is called; empty where it is unknown or revoked."""
    found = ApiKey.objects.filter(digest=digest_of(key), revoked_at=None)
    return found.values_list("name", flat=True).first() or ""


def admin_user() -> User:
    """The first person here, made when missing; signs in by link until they set a password."""
    user, made = get_user_model().objects.get_or_create(
        username=ADMIN, defaults={"is_staff": True, "is_superuser": True}
    )
    if made:
        user.set_unusable_password()
        user.save()
    return user


def create_sign_in_link(*, user: User, now: datetime) -> str:
    """Make a one-time token for ``user`` and return it."""
    token = secrets.token_urlsafe(24)
    SignInLink.objects.filter(expires_at__lt=now).delete()
    SignInLink.objects.create(user=user, digest=digest_of(token), expires_at=now + LINK_LIFETIME)
    return token


def use_sign_in_link(*, token: str, now: datetime) -> User | None:
    """The person a token signs in, once; None where it is unknown, used or too old."""
    fresh = SignInLink.objects.filter(digest=digest_of(token), used_at=None, expires_at__gt=now)
    link = fresh.select_related("user").first()
    if link is None or not fresh.update(used_at=now):  # the update decides between two who click at once
        return None
    return link.user


def member_of_chat(*, service: str, team: str, member: str) -> User | None:
    """Who a member of a workspace is here, active or not; None where nobody has said so."""
    found = ChatIdentity.objects.filter(service=service, team=team, member=member)
    identity = found.select_related("user").first()
    return identity.user if identity else None


def link_chat(*, service: str, team: str, member: str, name: str, user: User, now: datetime) -> None:
    """Keep who a member of a workspace is here. Raises Rejected where that is somebody else already."""
    identity, _ = ChatIdentity.objects.get_or_create(
        service=service,
        team=team,
        member=member,
        defaults={"user": user, "name": name[:150], "linked_at": now},
    )
    if identity.user_id != user.pk:
        raise Rejected(f"this member is linked to {identity.user.get_username()} already")


def unlink_chat(*, identities: QuerySet[ChatIdentity]) -> None:
    """Forget who these are here."""
    identities.delete()
