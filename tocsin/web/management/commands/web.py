"""``tocsin web``: the ways in, the pages and the API, without background work."""

import asyncio
import os
import socket
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tocsin.core import config, tls
from tocsin.core.errors import Misconfigured
from tocsin.core.garbage import collect_seldom
from tocsin.core.lifeline import Lifeline
from tocsin.db import schema
from tocsin.db.command import be_present
from tocsin.web.live import feed


class Server(uvicorn.Server):
    """Lets the live feed's listeners go before it waits for connections to end."""

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
