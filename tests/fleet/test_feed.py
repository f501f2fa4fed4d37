"""The feed: kept, narrowed, thinned."""

from typing import Any

import pytest

from tests.world import World
from tocsin.alerts.events import FeedEvent
from tocsin.alerts.intake.beside import Told
from tocsin.fleet import feed
from tocsin.fleet.models import Event


def record(world: World, *events: FeedEvent, sender: str = "") -> None:
    feed.record(events, Told("pagerduty", sender, "trace", world.now, True))


def test_what_is_told_is_kept(world: World) -> None:
    given: dict[str, Any] = {
        "level": "error",
        "source": "ci",
        "correlation_id": "c-1",
        "data": {"a": [1, None]},
    }
    record(world, FeedEvent("deploy", "v2 is out", at=world.now, **given))
    found = Event.objects.get()
    assert {name: getattr(found, name) for name in given} == given
    assert (found.type, found.message, found.at, found.trace_id) == (
        "deploy",
        "v2 is out",
        world.now,
        "trace",
    )


def test_what_is_left_out_is_filled_in(world: World) -> None:
    record(world, FeedEvent("", "x"))
    record(world, FeedEvent("a", "x"), sender="ci")
    first, second = Event.objects.order_by("pk")
    assert (first.type, first.source, first.at) == ("event", "pagerduty", world.now)
    assert second.source == "ci"


def test_what_is_too_long_is_cut(world: World) -> None:
    long = "x" * 200_000
    record(world, FeedEvent(long, f"a\0{long}", source=long, correlation_id=long, data={"a": long}))
    found = Event.objects.get()
    assert [len(text) for text in (found.type, found.message, found.source, found.correlation_id)] == [
        100, 10_000, 200, 128,
    ]  # fmt: skip
    assert "\0" not in found.message
    assert found.data == {"cut": "the data had 200,008 bytes"}


def test_the_newest_come_first_and_filters_all_hold(world: World) -> None:
    for number in range(4):
        level: Any = "error" if number % 2 else "info"
        record(world, FeedEvent("a" if number < 3 else "b", str(number), level, correlation_id=f"c{number}"))
    assert [event.message for event in feed.newest()] == ["3", "2", "1", "0"]
    assert [event.message for event in feed.newest(type="a", level="error")] == ["1"]
    assert [event.message for event in feed.newest(correlation_id="c2", source="")] == ["2"]


def test_the_oldest_go_in_small_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST", 10)
    assert feed.thin() == 0
    record(world, *(FeedEvent("a", str(number)) for number in range(15)))
    assert [feed.thin(limit=3) for _ in range(3)] == [3, 2, 0]
    assert [event.message for event in feed.newest()][-1] == "5"
    assert feed.newest().count() == 10
