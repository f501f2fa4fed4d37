"""Something that is shown to one person once: kept encrypted in their session until the page that follows."""

from datetime import timedelta
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.http import HttpRequest

KEPT_FOR: Final = timedelta(minutes=10)


def keep(request: HttpRequest, name: str, secret: str) -> None:
    """Keep a secret for the page that comes next, and no longer than ten minutes."""
    request.session[f"once-{name}"] = _vault().encrypt(secret.encode()).decode()


def take(request: HttpRequest, name: str) -> str:
    """The secret that was kept, for the first who asks; empty for all who ask later."""
    kept = request.session.pop(f"once-{name}", "")
    try:
        return _vault().decrypt(kept, ttl=int(KEPT_FOR.total_seconds())).decode()
    except InvalidToken:
        return ""


def _vault() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SECRET_KEYS])
