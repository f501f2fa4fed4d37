"""Each press once."""

from datetime import datetime, timedelta
from typing import Final

from tocsin.chat.models import Press

REMEMBERED_FOR: Final = timedelta(days=1)  # Slack tells again for an hour at most


def is_new(key: str, now: datetime) -> bool:
    """Whether nobody has acted on this press. Call it in the transaction that does: of two that are told of
    it at once, the second waits for the first."""
    Press.objects.filter(at__lt=now - REMEMBERED_FOR).delete()
    return Press.objects.get_or_create(key=key, defaults={"at": now})[1]
