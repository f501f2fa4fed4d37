"""The lanes of all enabled channels, kept in step with the database."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec
from pydantic import BaseModel

from tocsin.core.errors import Misconfigured, Rejected, TocsinError
from tocsin.core.http import Client
from tocsin.db.work import LEFT_TO_OTHERS
from tocsin.notify import paces, services
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import Message
from tocsin.notify.models import DriverTemplates, NotificationChannel
from tocsin.notify.outcome import Outcome
from tocsin.notify.sending import Lane, Parcel
from tocsin.notify.terms import Terms, terms_of, written_of
from tocsin.notify.written import Written

FRESH_SECONDS: Final = 1.0


class _Broken(BaseDriver[Any]):
    """Stands in for a channel that cannot send: its deliveries become dead letters that say why."""

    Config = BaseModel

    async def send(self, message: Message, http: Client) -> str:
        raise Rejected(str(self.config))


class Lanes:
    """By channel, where its deliveries queue. ``refresh`` is the database thread's, ``put`` the loop's."""

    def __init__(self, http: Client, done: Callable[[Outcome], None]) -> None:
        self._http = http
        self._done = done
        self._lanes: dict[int, Lane] = {}
        self._made_of: dict[int, tuple[object, ...]] = {}
        self._paused: dict[int, bool] = {}
        self._read_at = float("-inf")

    def refresh(self, now: datetime) -> None:
        """Follow channels that were added, changed, disabled or removed, and circuits that opened."""
        if time.monotonic() - self._read_at < FRESH_SECONDS:
            return
        self._read_at = time.monotonic()
        found: dict[int, Lane] = {}
        made_of: dict[int, tuple[object, ...]] = {}
        of_drivers = {row.driver: row for row in DriverTemplates.objects.all()}
        for channel in _enabled():
            terms, written = terms_of(channel), written_of(channel, of_drivers.get(channel.driver))
            made_of[channel.pk] = (channel.name, channel.driver, _config(channel), terms, written)
            if self._made_of.get(channel.pk) == made_of[channel.pk]:
                found[channel.pk] = self._lanes[channel.pk]
            else:
                found[channel.pk] = self._lane(channel, terms, written)
        self._lanes, self._made_of = found, made_of
        self._paused = paces.paused(now)

    def _lane(self, channel: NotificationChannel, terms: Terms, written: Written) -> Lane:
        driver: BaseDriver[Any]
        try:
            driver = services.sender(channel)
        except Misconfigured as error:
            driver = _Broken(str(error))
        except TocsinError as error:  # a newer version may have set it up, and know how to send there
            driver, terms = _Broken(str(error)), msgspec.structs.replace(terms, patience=LEFT_TO_OTHERS)
        return Lane(channel.name, driver, channel.driver, terms, written, self._http, self._done)

    def room(self) -> dict[int, int]:
        """By channel, how many more deliveries it takes from whoever makes them, past the outbox."""
        return {
            channel_id: lane.room
            for channel_id, lane in self._lanes.items()
            if not lane.terms.is_paced and channel_id not in self._paused
        }

    def claiming(self) -> list[tuple[Terms, int]]:
        """The channels that take more of what is due, and how many. One whose circuit is open is tried with
        one message."""
        return [
            (lane.terms, min(lane.room, 1) if channel_id in self._paused else lane.room)
            for channel_id, lane in self._lanes.items()
            if lane.room and self._paused.get(channel_id, True)
        ]

    def put(self, channel_id: int, parcels: Iterable[Parcel]) -> None:
        """Queue leased deliveries; those of a channel that is gone wait for their lease to end."""
        lane = self._lanes.get(channel_id)
        if lane is not None:
            lane.put(parcels)

    @property
    def busy(self) -> bool:
        """Whether anything is being sent."""
        return any(lane.busy for lane in self._lanes.values())

    def left(self) -> list[Parcel]:
        """Give back what services that asked to wait do not want now."""
        return [parcel for lane in self._lanes.values() for parcel in lane.left()]

    def drop(self) -> list[Parcel]:
        """Give back all that has not been begun."""
        return [parcel for lane in self._lanes.values() for parcel in lane.drop()]


def _enabled() -> list[NotificationChannel]:
    enabled = NotificationChannel.objects.filter(enabled=True)
    try:
        return list(enabled)
    except Misconfigured:  # one cannot be decrypted: each is read alone
        return list(enabled.defer("config"))


def _config(channel: NotificationChannel) -> str:
    try:
        return repr(channel.config)
    except Misconfigured as error:
        return str(error)
