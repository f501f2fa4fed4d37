"""The web process' application: ways in and the live feed's loop in front, Django behind."""

import os
from datetime import timedelta

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.settings")
django = get_asgi_application()

# Below reaches models, which exist once Django is set up.
# ruff: noqa: E402
from tocsin.alerts import deeds
from tocsin.alerts.events import Beat, Deed, FeedEvent, Push
from tocsin.alerts.intake.access import Access
from tocsin.alerts.intake.beside import BesideAlerts, Sink
from tocsin.alerts.intake.committer import Committer
from tocsin.alerts.intake.door import Door
from tocsin.alerts.intake.request import Receive, Scope, Send
from tocsin.alerts.intake.sns import Topics, fetch
from tocsin.api import prefix
from tocsin.core import config, doorbell
from tocsin.fleet import enrolment, feed, heartbeats, instances

sinks: dict[type, Sink] = {
    Deed: deeds.perform,
    Beat: heartbeats.take,
    FeedEvent: feed.record,
    Push: instances.take,
}
beside = BesideAlerts(sinks, on_change=doorbell.ring)
committer = Committer(limit=config.number("TOCSIN_INTAKE_QUEUE"), on_change=doorbell.ring)
topics = frozenset(config.words("TOCSIN_SNS_TOPICS"))
door = Door(
    committer,
    Access(
        open_door=config.bound_to_loopback(),
        proofs={"cloudwatch": Topics(topics, fetch).prove} if topics else {},
        agents=enrolment.agents,
    ),
    beside,
    max_bytes=config.number("TOCSIN_INTAKE_MAX_BYTES"),
    resolve_timeout=timedelta(seconds=config.number("TOCSIN_RESOLVE_TIMEOUT")),
)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Route a connection."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    scope = prefix.without(scope)
    if scope["type"] == "http" and door.matches(scope):
        await door(scope, receive, send)
    else:
        await django(dict(scope), receive, send)  # type: ignore[arg-type]  # looser types, same protocol


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            committer.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            committer.stop()
            door.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
