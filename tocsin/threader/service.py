"""``tocsin threader``: one instance, from its environment until it is asked to end."""

import argparse
import asyncio
import signal
import socket
import sys
import time
from datetime import timedelta
from typing import Final

import uvicorn

from tocsin.alerts.intake.request import Receive, Scope, Send
from tocsin.core import clock, config, log, systemd
from tocsin.core.errors import Misconfigured
from tocsin.core.http import Client
from tocsin.notify.drivers.slack import Driver
from tocsin.threader import settings
from tocsin.threader.counted import Counted
from tocsin.threader.door import Door
from tocsin.threader.redis_store import RedisStore
from tocsin.threader.settings import Settings
from tocsin.threader.sqlite_store import SqliteStore
from tocsin.threader.store import BaseStore
from tocsin.threader.teller import Teller

logger = log.get(__name__)

HELP: Final = "Keep each of Alertmanager's groups in one Slack thread, as a service of its own."
MISCONFIGURED: Final = 2
STUCK_SECONDS: Final = 60.0  # longer than any call of Slack or the store takes


class Server(uvicorn.Server):
    """Tells systemd when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            logger.info("threader.started", host=self.config.host, port=self.config.port)
            systemd.notify("READY=1")


def main(arguments: list[str]) -> int:
    """Run ``tocsin threader``; return the exit code."""
    argparse.ArgumentParser(prog="tocsin threader", description=HELP).parse_args(arguments)
    config.load_env_file()
    try:
        log.configure(config.text("LOG_LEVEL").upper())
        told = settings.read()
        store = _store(told)
        asyncio.run(_run(told, store))
    except Misconfigured as error:
        sys.stderr.write(f"tocsin threader: {error}\n")
        return MISCONFIGURED
    return 0


def _store(told: Settings) -> BaseStore:
    return RedisStore(told.redis, told.place) if told.redis else SqliteStore(told.folder, told.place)


async def _run(told: Settings, store: BaseStore) -> None:
    """Serve and tell until asked to end; what then still waits is kept."""
    counted, http = Counted(clock.now()), Client(told.allowed)
    lasting = timedelta(seconds=told.continue_seconds)
    teller = Teller(store, Driver(told.slack), http, lasting, counted)
    server = Server(_served(told, Door(told, store, counted, teller.ring), teller))

    def end(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)  # uvicorn raises it again at its end: to be asked to end is no failure
    await store.open()
    telling = asyncio.create_task(teller.run())
    telling.add_done_callback(end)  # half a service would look alive
    await server.serve()
    systemd.notify("STOPPING=1")
    teller.stop()
    await telling
    await store.close()
    http.close()


def _served(told: Settings, door: Door, teller: Teller) -> uvicorn.Config:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await door(scope, receive, send)

    async def alive() -> None:
        if time.monotonic() - teller.beat_at < STUCK_SECONDS:
            systemd.notify("WATCHDOG=1")

    return uvicorn.Config(
        application,
        host=told.host,
        port=told.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=1024,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
        callback_notify=alive,
        timeout_notify=1,
    )
