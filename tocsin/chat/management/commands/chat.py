"""``tocsin chat``: Slack's Socket Mode."""

import asyncio
import signal
from typing import Any

import uvloop
from django.core.management.base import BaseCommand, CommandError

from tocsin.chat.socket_mode import SocketMode
from tocsin.core import config
from tocsin.core.garbage import collect_seldom
from tocsin.core.lifeline import Lifeline
from tocsin.db import schema
from tocsin.db.command import be_present


class Command(BaseCommand):
    help = "Take what people press and ask in Slack by Socket Mode (SLACK_APP_TOKEN)."

    def handle(self, *args: Any, **options: Any) -> None:
        token = config.text("SLACK_APP_TOKEN")
        if not token:
            raise CommandError("there is nobody to talk to: set SLACK_APP_TOKEN to the app's xapp-… token")
        be_present()
        schema.wait()
        collect_seldom()
        uvloop.run(_talk(token, config.text("SLACK_API_URL")))


async def _talk(token: str, api_url: str) -> None:
    """Until SIGTERM, SIGINT or the supervisor's end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    lifeline = asyncio.create_task(Lifeline().cut())
    lifeline.add_done_callback(lambda _: stop.set())
    talk = asyncio.create_task(SocketMode(token, api_url).run())
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([talk, waiting], return_when=asyncio.FIRST_COMPLETED)
    for task in (talk, waiting, lifeline):
        task.cancel()
    outcomes = await asyncio.gather(talk, waiting, lifeline, return_exceptions=True)
    if isinstance(outcomes[0], Exception):
        raise outcomes[0]
