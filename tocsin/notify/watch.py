"""The watch over channels: one that does not take its messages becomes an alert, which the others bring."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import transaction

from tocsin.alerts.events import AlertEvent
from tocsin.alerts.intake.journal import Journal, Post
from tocsin.core import severity
from tocsin.core.ids import new_id
from tocsin.notify import paces
from tocsin.notify.models import NotificationChannel
from tocsin.notify.pace import Pace

ALERTNAME: Final = "NotificationChannelFailing"
SOURCE: Final = "notify"
_FINGERPRINT: Final = "notification-channel-"


def watch(now: datetime) -> int:
    """Look at channels that are due; return how many. State and alert are one commit."""
    if not paces.any_to_tell(now):
        return 0
    with transaction.atomic():
        found = paces.to_tell(now)
        channels = NotificationChannel.objects.defer("config").in_bulk([pace.channel_id for pace in found])
        alerts = []
        for pace in found:
            channel = channels[pace.channel_id]
            if not channel.enabled:
                pace.succeeded(now)  # nobody asks any more whether it works
            alerts.append(_alert(channel, pace))
            pace.told, pace.tell_at = pace.failing_since is not None, None
        _commit(alerts, now)
        paces.put(found)
    return len(found)


def remove(channel: NotificationChannel, now: datetime) -> None:
    """Nobody waits for a channel that is gone to work again. Call it in the transaction that removes it."""
    if any(pace.told for pace in paces.locked(channel.pk)):
        _commit([_alert(channel, Pace(channel.pk))], now)


def _commit(alerts: list[AlertEvent], now: datetime) -> None:
    Journal().commit([Post(alerts, SOURCE, new_id(), now)])


def about_channels(fingerprints: Iterable[str]) -> set[int]:
    """The channels that alerts of these fingerprints are about: they would be told in vain."""
    ours = (text.removeprefix(_FINGERPRINT) for text in fingerprints if text.startswith(_FINGERPRINT))
    return {int(number) for number in ours if number.isdecimal() and len(number) < 19}


def _alert(channel: NotificationChannel, pace: Pace) -> AlertEvent:
    firing = pace.failing_since is not None
    summary = f"Messages do not get through by channel {channel.name}: {pace.last_error}"
    return AlertEvent(
        labels={"alertname": ALERTNAME, "instance": channel.name, "driver": channel.driver},
        status="firing" if firing else "resolved",
        name=ALERTNAME,
        severity=severity.CRITICAL,
        annotations={"summary": summary if firing else f"Channel {channel.name} works again, or is off"},
        generator_url=f"{settings.PUBLIC_URL}/channels/",
        fingerprint=f"{_FINGERPRINT}{channel.pk}",
        reopens=True,
    )
