"""Hears what Zigbee2MQTT publishes at an MQTT broker."""

import asyncio
import ssl
from collections import deque
from typing import Final

import aiomqtt
from asgiref.sync import sync_to_async
from django.db import connection

from tocsin.alerts.events import AlertEvent
from tocsin.alerts.listeners import zigbee2mqtt
from tocsin.alerts.listeners.addresses import Broker
from tocsin.alerts.listeners.desk import Desk
from tocsin.alerts.listeners.metrics import UP
from tocsin.alerts.models import Alert
from tocsin.core import clock, log
from tocsin.core.errors import Unavailable

logger = log.get(__name__)

KEEPALIVE_SECONDS: Final = 30
TIMEOUT_SECONDS: Final = 10.0
MOST_WAITING: Final = (
    100_000  # messages not read yet; what is beyond is dropped by the library, which logs it
)
ALERTS_AT_ONCE: Final = 500
REFUSAL: Final = 128  # and above: a broker's answer to a subscription that it does not allow


class Mqtt:
    """One broker. What it told and is not on disk yet outlives a lost connection."""

    name = "mqtt"

    def __init__(self, broker: Broker, desk: Desk) -> None:
        self._broker = broker
        self._desk = desk
        self._reader: zigbee2mqtt.Reader | None = None
        self._changes: deque[AlertEvent] = deque()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Listen until the connection is lost."""
        if self._reader is None:
            self._reader = zigbee2mqtt.Reader(self._broker.base, await sync_to_async(_firing)())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear(self._reader))
                group.create_task(self._watch_the_clock(self._reader))
                group.create_task(self._store())
        finally:
            if self._changes:
                logger.warning("listener.unsaved", listener=self.name, alerts=len(self._changes))

    async def _hear(self, reader: zigbee2mqtt.Reader) -> None:
        async with self._client() as client:
            granted = await client.subscribe(f"{self._broker.base}/#", qos=1)
            if any((code if isinstance(code, int) else code.value) >= REFUSAL for code in granted):
                raise Unavailable(f"the broker does not let us read {self._broker.base}/#")
            UP.labels(self.name).set(1)
            logger.info("mqtt.connected", host=self._broker.host, base=self._broker.base)
            async for message in client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                self._take(reader.read(message.topic.value, payload, message.retain, clock.now()))
        raise Unavailable("the broker closed the connection")

    def _client(self) -> aiomqtt.Client:
        broker = self._broker
        return aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            tls_context=ssl.create_default_context() if broker.tls else None,
            timeout=TIMEOUT_SECONDS,
            keepalive=KEEPALIVE_SECONDS,
            max_queued_incoming_messages=MOST_WAITING,
        )

    async def _watch_the_clock(self, reader: zigbee2mqtt.Reader) -> None:
        while True:
            await asyncio.sleep(1)
            self._take(reader.overdue(clock.now()))

    def _take(self, events: list[AlertEvent]) -> None:
        if events:
            self._changes += events
            self._changed.set()

    async def _store(self) -> None:
        """Hand over what changed, in order. It leaves the line once it is on disk, not before."""
        while True:
            while self._changes:
                events = [self._changes[place] for place in range(min(len(self._changes), ALERTS_AT_ONCE))]
                await self._desk.store_patiently(zigbee2mqtt.SOURCE, events)
                for _ in events:
                    self._changes.popleft()
            self._changed.clear()
            await self._changed.wait()


def _firing() -> list[str]:
    """The fingerprints of this source that fire, as of the last time we listened."""
    try:
        found = Alert.objects.filter(source=zigbee2mqtt.SOURCE, status=Alert.FIRING)
        return list(found.values_list("fingerprint", flat=True))
    finally:
        connection.close()
