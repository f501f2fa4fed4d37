"""``tocsin demo``: the child that ``tocsin up --demo`` starts beside web and worker."""

import asyncio
import signal
import threading
from typing import IO, Any, Final, cast

from django.core.management.base import BaseCommand

from tocsin.accounts import services as accounts
from tocsin.core import clock, log
from tocsin.core.errors import Unavailable
from tocsin.core.ids import new_id
from tocsin.core.lifeline import Lifeline
from tocsin.core.terminal import Screen
from tocsin.notify import services as notify
from tocsin.web.demo import posting
from tocsin.web.demo.catalogue import PROMETHEUS
from tocsin.web.demo.sink import sink
from tocsin.web.demo.tale import Beat, Tale

logger = log.get(__name__)

CHANNEL: Final = "demo"
AGAIN_SECONDS: Final = 0.5


class Command(BaseCommand):
    help = "Fill this installation with a shop's small troubles, and receive its messages."

    def handle(self, *args: Any, **options: Any) -> None:
        with sink(Screen(cast(IO[str], self.stdout))) as url:
            notify.put_channel(name=CHANNEL, driver="webhook", given={"url": url}, now=clock.now())
            try:
                asyncio.run(_tell_until_stopped(_key()))
            finally:
                notify.enable_channel(name=CHANNEL, enabled=False)  # nobody listens at its URL any more


def _key() -> str:
    """A key for the door, where it asks for one. It lives in this process alone."""
    if not posting.needs_key():
        return ""
    return accounts.create_api_key(name=f"demo {new_id()[:12]}", scope="ingest", now=clock.now())


async def _tell_until_stopped(key: str) -> None:
    stopping = threading.Event()
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    lifeline = asyncio.create_task(Lifeline().cut())
    lifeline.add_done_callback(lambda _: stop.set())
    teller = asyncio.create_task(asyncio.to_thread(_tell, key, stopping))
    teller.add_done_callback(lambda _: stop.set())  # it ends by itself only when it fails
    await stop.wait()
    stopping.set()
    lifeline.cancel()
    await teller


def _tell(key: str, stopping: threading.Event) -> None:
    """Play the tale, once the web process answers."""
    while not posting.answers():
        if stopping.wait(AGAIN_SECONDS):
            return
    tale = Tale()
    for beat in tale.beats():
        if stopping.wait(beat.wait):
            return
        _post(tale, beat, key, stopping)


def _post(tale: Tale, beat: Beat, key: str, stopping: threading.Event) -> None:
    """Post a beat until it is taken, and with it what Prometheus would send again."""
    again = [telling for telling in tale.firing.values() if telling.trouble.source == PROMETHEUS]
    while not stopping.is_set():
        try:
            posting.post([*again, *beat.tellings], key, clock.now())
            return
        except Unavailable as error:
            logger.warning("demo.not_taken", error=str(error))
            stopping.wait(AGAIN_SECONDS)
