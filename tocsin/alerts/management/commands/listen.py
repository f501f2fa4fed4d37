"""``tocsin listen``: the ways in that are not HTTP."""

from typing import Any

import uvloop
from django.core.management.base import BaseCommand, CommandError

from tocsin.alerts.listeners import addresses
from tocsin.alerts.listeners.desk import Desk
from tocsin.alerts.listeners.keys import refuse_open_door
from tocsin.alerts.listeners.mqtt import Mqtt
from tocsin.alerts.listeners.process import Listener, listen
from tocsin.alerts.listeners.smtp import Smtp
from tocsin.core import config
from tocsin.core.errors import Misconfigured
from tocsin.core.garbage import collect_seldom
from tocsin.db import schema
from tocsin.db.command import be_present


class Command(BaseCommand):
    help = "Take alerts in from an MQTT broker (MQTT_URL) and by mail (TOCSIN_SMTP_LISTEN)."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            broker, bound = addresses.mqtt(), addresses.smtp()
            refuse_open_door(bound)
            max_bytes = config.number("TOCSIN_INTAKE_MAX_BYTES")
        except Misconfigured as error:
            raise CommandError(str(error)) from error
        if broker is None and bound is None:
            raise CommandError("there is nothing to listen to: set MQTT_URL or TOCSIN_SMTP_LISTEN")

        def make(desk: Desk) -> list[Listener]:
            found: list[Listener] = []
            if broker is not None:
                found.append(Mqtt(broker, desk))
            if bound is not None:
                found.append(Smtp(bound, desk, max_bytes))
            return found

        be_present()
        schema.wait()
        collect_seldom()
        uvloop.run(listen(make))
