"""Where an agent asks for commands and tells how they ended. Its own key alone opens this."""

from datetime import datetime
from time import monotonic
from typing import Annotated, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tocsin.accounts.access import bearer
from tocsin.alerts.intake.request import Refused
from tocsin.api.answers import answered, body, read
from tocsin.core import clock, config
from tocsin.fleet import commands, enrolment
from tocsin.fleet.commands import Ended, Offer
from tocsin.fleet.models import Instance
from tocsin.orchestration import services

EVERY: Final = 5.0  # seconds between an agent's questions, while they are few
MOST_A_SECOND: Final = 50  # questions of all agents
COUNTED_EVERY: Final = 60.0


class Asked(msgspec.Struct):
    """What an agent sends."""

    agent: Annotated[str, msgspec.Meta(max_length=32, pattern=r"\A[0-9a-f]+\Z")]
    allowed: Annotated[list[Offer], msgspec.Meta(max_length=100)]
    results: Annotated[list[Ended], msgspec.Meta(max_length=100)] = []


class Given(msgspec.Struct):
    """A command to be run, unless it is later than so many seconds from now."""

    id: str
    name: str
    arguments: dict[str, str]
    seconds: float
    trace_id: str


class Answer(msgspec.Struct):
    """What an agent is to run next, and in how many seconds it is to ask again."""

    commands: list[Given]
    again_in: float


class Pace:
    """How often agents are to ask: the more there are, the less often each."""

    def __init__(self) -> None:
        self._agents, self._counted_at = 0, float("-inf")

    def seconds(self, now: datetime) -> float:
        """Between two questions of one agent."""
        if monotonic() - self._counted_at > COUNTED_EVERY:
            self._agents, self._counted_at = commands.listening(now), monotonic()
        return max(EVERY, self._agents / MOST_A_SECOND)


_pace: Final = Pace()


@require_POST
@csrf_exempt
def take(request: HttpRequest) -> HttpResponse:
    """Keep what became of commands, and give the next."""
    return answered(lambda: _taken(request))


def _taken(request: HttpRequest) -> Answer:
    instance = _instance(request)
    asked, now = read(body(request), Asked), clock.now()
    for ended in asked.results:
        services.end_command(instance=instance, told=ended, now=now)
    commands.listen(instance, asked.allowed, now)
    given = [
        Given(one.pk, one.name, one.arguments, (one.expires_at - now).total_seconds(), one.trace_id)
        for one in commands.take(instance, asked.agent, now)
    ]
    return Answer(given, _pace.seconds(now))


def _instance(request: HttpRequest) -> Instance:
    if not config.flag("CLUSTER_ENABLED"):
        raise Refused(404, "hub", "this is no hub: set CLUSTER_ENABLED=1 there")
    key = bearer(request)
    if not key:
        raise Refused(401, "access", "send the key of an agent: Authorization: Bearer …")
    found = enrolment.holder(key)
    if found is None:
        raise Refused(403, "access", "this is the key of no agent, or a revoked one")
    return found
