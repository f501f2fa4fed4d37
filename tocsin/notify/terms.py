"""The terms a channel is served on: what its own settings say, and its driver where they say nothing."""

from datetime import timedelta
from typing import Final

import msgspec

from tocsin.core.errors import UnknownPlugin
from tocsin.notify.drivers import NEW, BaseDriver, Rate, drivers
from tocsin.notify.models import DriverTemplates, NotificationChannel
from tocsin.notify.written import Written

DIGEST_ABOVE: Final = 20


class Terms(msgspec.Struct, frozen=True):
    """``folds_above``: when more messages wait they are folded into one; 0: never. ``patience``: how long
    what is due is left to other workers."""

    channel_id: int
    rate: Rate | None = None
    mode: str = NEW
    folds_above: int = 0
    folds: bool = False  # of one incident only the newest is told
    shows_owner: bool = False  # who is on an incident is told
    patience: timedelta = timedelta()

    @property
    def is_paced(self) -> bool:
        """Whether each message is claimed, rather than born with the worker that makes it."""
        return self.rate is not None or self.mode != NEW or self.folds or bool(self.patience)


def terms_of(channel: NotificationChannel) -> Terms:
    """A channel's; those of a driver that is gone are the simplest."""
    try:
        kind: type[BaseDriver[object]] = drivers.get(channel.driver)  # type: ignore[type-var, assignment]
    except UnknownPlugin:
        return Terms(channel.pk)
    mode = channel.mode or kind.modes[0]
    above = DIGEST_ABOVE if kind.folds else 0
    return Terms(
        channel_id=channel.pk,
        rate=_rate(channel, kind.rate),
        mode=mode,
        folds_above=above if channel.digest_above is None else channel.digest_above,
        folds=kind.folds or mode != NEW,
        shows_owner=kind.shows_owner or mode != NEW,
    )


def written_of(channel: NotificationChannel, usual: DriverTemplates | None) -> Written:
    """A channel's own templates, and its driver's where it has none."""
    return Written(
        channel.subject_template or (usual.subject_template if usual else ""),
        channel.body_template or (usual.body_template if usual else ""),
    )


def _rate(channel: NotificationChannel, usual: Rate | None) -> Rate | None:
    if channel.per_minute is None:
        return usual
    return Rate(channel.per_minute / 60, max(1, round(channel.per_minute / 60)))
