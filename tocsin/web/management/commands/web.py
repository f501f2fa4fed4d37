"""``tocsin web``: the ways in, the pages and the API, without background work."""

import asyncio
import os
import socket
import time
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tocsin.core import config, tls
from tocsin.core.ending import ending
from tocsin.core.errors import Misconfigured
from tocsin.core.garbage import collect_seldom
from tocsin.core.lifeline import Lifeline
from tocsin.db import schema
from tocsin.db.command import be_present
from tocsin.web.live import feed


class Server(uvicorn.Server):
    """Ends in order: first it says that it is not ready and moves its clients on, then it listens no more and
    lets the live feed's listeners go, at last it waits for connections to end."""

    drain_seconds = 0

    async def main_loop(self) -> None:
        await super().main_loop()
        ending.asked = True
        # Whoever is answered from here on connects anew, and the balancer sends him elsewhere.
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        until = time.monotonic() + self.drain_seconds
        while time.monotonic() < until and not self.force_exit:
            await asyncio.sleep(0.05)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        feed.close()
        await super().shutdown(sockets)


class Command(BaseCommand):
    help = "Run one web process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=config.text("TOCSIN_HOST"), help="address to listen on")
        parser.add_argument(
            "--port", type=int, default=config.number("TOCSIN_PORT"), help="port to listen on"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # What is open to whom depends on the address; the application reads it from the environment.
        os.environ["TOCSIN_HOST"], os.environ["TOCSIN_PORT"] = options["host"], str(options["port"])
        try:
            certificate, key = tls.files() or (None, None)
            drain_seconds = config.number("TOCSIN_DRAIN_SECONDS")
        except Misconfigured as error:
            raise CommandError(str(error)) from error
        server = Server(
            uvicorn.Config(
                "tocsin.asgi:application",
                host=options["host"],
                port=options["port"],
                ssl_certfile=certificate,
                ssl_keyfile=key,
                loop="uvloop",
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=4096,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=2,
            )
        )
        server.drain_seconds = drain_seconds
        be_present()
        schema.wait()
        collect_seldom()
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(_serve(server))


async def _serve(server: uvicorn.Server) -> None:
    async def until_cut() -> None:
        await Lifeline().cut()
        server.should_exit = True

    lifeline = asyncio.create_task(until_cut())
    await server.serve()
    lifeline.cancel()
