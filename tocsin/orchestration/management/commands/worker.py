"""``tocsin worker``: the background work alone, for systemd, containers, several machines."""

import asyncio
from typing import Any

import uvloop
from django.core.management.base import BaseCommand, CommandError

from tocsin.core.errors import Misconfigured
from tocsin.core.garbage import collect_seldom
from tocsin.core.lifeline import Lifeline
from tocsin.db import schema
from tocsin.db.command import be_present
from tocsin.orchestration import counted
from tocsin.orchestration.worker import EmbeddedWorker


class Command(BaseCommand):
    help = "Run one worker: correlation, pipeline runs, deliveries. Any number may run."

    def handle(self, *args: Any, **options: Any) -> None:
        be_present()
        schema.wait()
        try:
            counted.serve()
        except Misconfigured as error:
            raise CommandError(str(error)) from error
        collect_seldom()
        uvloop.run(_work())


async def _work() -> None:
    worker = EmbeddedWorker()
    lifeline = asyncio.create_task(Lifeline().cut())
    lifeline.add_done_callback(lambda _: worker.stop())
    await worker.run()
    lifeline.cancel()
