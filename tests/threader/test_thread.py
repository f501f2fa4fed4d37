"""What a webhook adds to what was told: in whatever order they come, and however often."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.threader.instances import alert, webhook
from tocsin.notify.message import ALERTS_SHOWN
from tocsin.threader import thread as threads
from tocsin.threader import webhook as posted
from tocsin.threader.thread import News, Thread, Webhook, forgotten, kept_for

NOW = datetime(2026, 11, 21, 11, tzinfo=UTC)
DAY = timedelta(days=1)


def read(told: dict[str, Any]) -> Webhook:
    return posted.read(msgspec.json.encode(told), "trace", NOW)


def add(
    thread: Thread | None, *told: dict[str, Any], after: float = 0, lasting: timedelta = DAY
) -> News | None:
    at = NOW + timedelta(seconds=after)
    return threads.follow(thread, [read(one) for one in told], "new", at, lasting)[1]


def follow(told: Iterable[Webhook]) -> tuple[Thread, list[str]]:
    """The thread after all of these, and why each message was told."""
    thread, reasons = None, []
    for one in told:
        thread, found = threads.follow(thread, [one], "new", NOW, DAY)
        reasons += [found.reason] if found else []
    assert thread is not None
    return thread, reasons


STORY = [
    webhook(alert("a")),
    webhook(alert("a"), alert("b", 2)),
    webhook(alert("a", 0, 4), alert("b", 2)),
    webhook(alert("b", 2), alert("c", 5)),
    webhook(alert("b", 2, 7), alert("c", 5, 7)),
    webhook(alert("a", 9)),
    webhook(alert("a", 9, 11)),
]


def test_a_story_in_order() -> None:
    _, reasons = follow(map(read, STORY))
    assert reasons == ["fired", "changed", "changed", "changed", "resolved", "refired", "resolved"]


@given(st.permutations([read(one) for one in STORY] * 2))
def test_in_whatever_order_it_ends_the_same_and_says_nothing_twice(told: list[Webhook]) -> None:
    thread, reasons = follow(told)
    assert {name: known.status for name, known in thread.alerts.items()} == dict.fromkeys(
        follow(map(read, STORY))[0].alerts, "resolved"
    )
    assert thread.over_at is not None
    assert len(reasons) <= 2 * 4  # each of four episodes begins once and ends once
    assert follow([*told, *told])[1] == reasons


def test_a_peer_that_lags_is_not_believed_for_a_while() -> None:
    fired = webhook(alert("a"))
    thread = follow(map(read, [fired, webhook(alert("a", 0, 4))]))[0]
    assert add(thread, fired, after=30) is None
    again = add(thread, fired, after=300)
    assert again is not None and again.reason == "refired"


def test_without_times_the_order_of_arrival_counts() -> None:
    def timeless(**more: Any) -> dict[str, Any]:
        bare = {name: value for name, value in alert("a", **more).items() if not name.endswith("sAt")}
        return webhook(bare)

    told = [timeless(), timeless(), timeless(ended=4), timeless(ended=4), timeless()]
    assert follow(map(read, told))[1] == ["fired", "resolved", "refired"]


def test_beginnings_that_peers_saw_a_moment_apart_are_one() -> None:
    late = alert("a") | {"startsAt": "2026-11-21T10:00:03Z"}
    end = alert("a", 0, 4)
    assert follow(map(read, [webhook(alert("a")), webhook(late), webhook(end), webhook(late)]))[1] == [
        "fired", "resolved",
    ]  # fmt: skip
    assert follow(map(read, [webhook(late), webhook(end)]))[1] == ["fired", "resolved"]


def test_what_fell_silent_ends_with_its_group() -> None:
    thread, reasons = follow(map(read, [webhook(alert("a"), alert("silenced")), webhook(alert("a", 0, 4))]))
    assert reasons == ["fired", "resolved"]
    assert (thread.firing, {one.status for one in thread.shown.values()}) == (0, {"resolved"})


def test_what_began_after_its_end_is_not_ended_by_it() -> None:
    told = [webhook(alert("a")), webhook(alert("b", 6)), webhook(alert("a", 0, 4))]
    thread, reasons = follow(map(read, told))
    assert (reasons, thread.firing) == (["fired", "changed", "changed"], 1)


def test_the_end_of_what_nobody_knows_is_told() -> None:
    found = add(None, webhook(alert("a", 0, 4)))
    assert found is not None and found.reason == "resolved"


def test_long_after_its_end_a_new_thread_begins() -> None:
    thread = follow(map(read, STORY))[0]
    thread.handle = {"ts": "1"}
    soon, late = (add(thread, webhook(alert("a", 30)), after=seconds) for seconds in (60, 90_000))
    assert soon is not None and late is not None
    assert (soon.thread.handle, soon.reason) == ({"ts": "1"}, "refired")
    assert (late.thread.handle, late.thread.id, late.reason, late.thread.told) == ({}, "new", "fired", 1)
    assert list(late.thread.shown) == [one.fingerprint for one in late.alerts]


def test_several_as_one_are_the_newest_state() -> None:
    found = add(None, *STORY[:5])
    assert found is not None
    assert (found.reason, {one.name for one in found.alerts}) == ("resolved", {"HighCPU"})
    assert {(one.where, one.status) for one in found.alerts} == {(name, "resolved") for name in "abc"}


def test_a_group_of_which_alertmanager_sends_a_part_is_not_over_before_it_says_so() -> None:
    part = webhook(alert("a", 0, 4), truncatedAlerts=5, status="firing")
    thread, reasons = follow(map(read, [webhook(alert("a")), part]))
    assert (reasons, thread.over_at) == (["fired", "changed"], None)


def test_the_head_shows_what_fires_and_no_more_than_fits() -> None:
    many = webhook(*(alert(f"over-{n}", 0, 4) for n in range(30)), *(alert(f"on-{n}") for n in range(5)))
    thread = follow([read(many)])[0]
    assert len(thread.shown) == ALERTS_SHOWN
    assert [one.where[:2] for one in thread.shown.values()][:5] == ["on"] * 5


def test_what_is_over_is_forgotten_after_a_while() -> None:
    thread = follow(map(read, STORY[:3]))[0]
    assert len(forgotten(thread, NOW).alerts) == 2
    assert [known.status for known in forgotten(thread, NOW + DAY).alerts.values()] == ["firing"]
    assert kept_for(thread, DAY) > DAY
    assert kept_for(follow(map(read, STORY))[0], 2 * DAY) == 2 * DAY
