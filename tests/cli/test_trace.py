"""Why did somebody (not) get paged?"""

from datetime import timedelta

import pytest
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tests.world import World
from tocsin.alerts.models import AlertHistory
from tocsin.orchestration import services as orchestration


def test_the_story_in_order(world: World) -> None:
    world.channel("on-call")
    world.receiver.answers.append(type(world.receiver.default)(status=503))
    world.fire(severity="critical", message="CPU at 97 %")
    world.work()
    world.forward(seconds=0.5)
    number = world.incident().pk
    orchestration.acknowledge(incident_id=number, actor="alice", now=world.now)
    world.forward(minutes=5)

    told = tocsin("trace", f"#{number}")
    steps = ["fired, critical from generic", "opened incident", "NOTIFIED in", "alice acknowledged incident"]
    places = [told.index(step) for step in (*steps, "firing to on-call (webhook): sent")]
    assert places == sorted(places)
    assert "at try 2" in told
    assert "acknowledged  alice, 2026-11-21 12:00:00" in told

    trace_id = AlertHistory.objects.order_by("pk")[0].trace_id
    assert "alice acknowledged incident" in tocsin("trace", trace_id)
    assert tocsin_json("trace", trace_id)["deliveries"][0]["attempts"] == 2


def test_a_message_still_to_be_tried(world: World) -> None:
    world.channel("on-call")
    world.receiver.default.status = 503
    world.fire()
    world.work()
    told = tocsin("trace", str(world.incident().pk))
    assert "firing to on-call (webhook): retrying" in told
    assert "→ HTTP 503: ok" in told
    assert "next try at 2026-11-21 12:00:0" in told


def test_before_a_worker_came(world: World) -> None:
    world.fire()
    assert "not decided yet: it waits for a worker" in tocsin("trace", AlertHistory.objects.get().trace_id)


def test_unknown(db: None) -> None:
    with pytest.raises(CommandError, match="nothing here is known as 'x'"):
        tocsin("trace", "x")


def test_what_follows_is_told_after_what_caused_it(world: World) -> None:
    """A turn takes up what comes in while it begins: the run bears an earlier time than its alert."""
    world.channel("on-call")
    world.fire()
    world.now -= timedelta(seconds=2)
    world.work()
    told = tocsin("trace", str(world.incident().pk))
    places = [told.index(step) for step in ("opened incident", "NOTIFIED in", "firing to on-call")]
    assert places == sorted(places)
