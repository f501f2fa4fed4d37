"""What is sent when, by a clock that only the test moves."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.core.errors import Rejected
from tocsin.core.matchers import Matcher
from tocsin.notify.routing import document
from tocsin.notify.routing.inhibition import InhibitRule, inhibited
from tocsin.notify.routing.simulator import Event, Played, play
from tocsin.notify.routing.tree import compile_tree

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
A, B = {"alertname": "A", "instance": "1"}, {"alertname": "A", "instance": "2"}
OTHER = {"alertname": "Other"}


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def fires(minutes: float, labels: Mapping[str, str] = A, **more: Any) -> Event:
    return Event(after(minutes), labels, **more)


def ends(minutes: float, labels: Mapping[str, str] = A) -> Event:
    return Event(after(minutes), labels, firing=False)


def played(
    *events: Event, minutes: float, hears: dict[str, bool] | None = None, rules: Any = (), **route: Any
) -> Played:
    """Waits of 1 minute, then a look each 5, repeats each 60, unless a test says otherwise."""
    timings = {"group_wait": 60, "group_interval": 300, "repeat_interval": 3_600}
    root = {"receiver": "ops", "group_by": ["alertname"], **timings}
    night = {"times": [{"start_time": "12:03", "end_time": "13:00"}]}
    document_ = {
        "route": {**root, "routes": [{"matchers": ['alertname!="Other"'], **route}]},
        "receivers": {"ops": ["chat", "pager"]},
        "time_intervals": [{"name": "lunch", "time_intervals": [night]}],
    }
    return play(compile_tree(document.read(document_)), events, after(minutes), hears, rules)


def told(played: Played) -> list[tuple[float, str, int, int]]:
    """Minutes, kind, firing and resolved of each message."""
    return [
        ((one.at - START).total_seconds() / 60, one.kind, one.firing, one.resolved) for one in played.sent
    ]


def test_a_group_waits_for_more_and_is_told_once() -> None:
    found = played(fires(0), fires(0.5, B), fires(0, OTHER), minutes=4)
    assert told(found) == [(1, "first", 2, 0), (1, "first", 1, 0)]
    assert {(one.receiver, one.channels) for one in found.sent} == {("ops", ("chat", "pager"))}
    assert [one.group for one in found.sent] == [{"alertname": "A"}, {"alertname": "Other"}]


def test_news_come_with_the_next_look() -> None:
    found = played(fires(0), fires(2, B), ends(7, B), ends(12), minutes=60)
    assert told(found) == [
        (1, "first", 1, 0),
        (6, "new", 2, 0),
        (11, "some_resolved", 1, 1),
        (16, "resolved", 0, 1),
    ]


def test_an_alert_at_the_moment_of_a_look_is_seen() -> None:
    assert told(played(fires(0), fires(1, B), minutes=1)) == [(1, "first", 2, 0)]


def test_the_same_is_told_again_at_the_first_look_after_its_time() -> None:
    assert told(played(fires(0), minutes=130)) == [
        (1, "first", 1, 0),
        (61, "repeat", 1, 0),
        (121, "repeat", 1, 0),
    ]
    assert told(played(fires(0), minutes=80, repeat_interval="62m")) == [
        (1, "first", 1, 0),
        (66, "repeat", 1, 0),
    ]
    assert told(played(fires(0), minutes=12, repeat_interval="1m")) == [
        (1, "first", 1, 0), (6, "repeat", 1, 0), (11, "repeat", 1, 0),
    ]  # fmt: skip


def test_what_ends_before_it_was_told_is_never_told() -> None:
    assert told(played(fires(0), ends(0.5), minutes=60)) == []
    assert told(played(ends(0), minutes=60)) == []


def test_what_fires_again_between_two_looks_is_no_news() -> None:
    assert told(played(fires(0), ends(2), fires(3), minutes=60)) == [(1, "first", 1, 0)]


def test_what_fires_again_after_its_end_waits_anew() -> None:
    found = played(fires(0), ends(2), fires(8), minutes=20)
    assert told(found) == [(1, "first", 1, 0), (6, "resolved", 0, 1), (9, "first", 1, 0)]


def test_who_does_not_hear_of_ends() -> None:
    hears = {"chat": False, "pager": True}
    found = played(fires(0), fires(0, B), ends(2, B), ends(8), minutes=60, hears=hears)
    assert [(one.kind, one.channels, one.firing, one.resolved) for one in found.sent] == [
        ("first", ("chat", "pager"), 2, 0),
        ("some_resolved", ("pager",), 1, 1),
        ("resolved", ("pager",), 0, 1),
    ]


def test_what_has_fired_for_long_is_told_at_once() -> None:
    assert told(played(fires(0, started_at=after(-10)), minutes=4)) == [(0, "first", 1, 0)]
    assert told(played(fires(0), fires(0.5, B, started_at=after(-10)), minutes=4)) == [(0.5, "first", 2, 0)]


def test_while_it_is_silent_nothing_is_sent_nor_made_up_for() -> None:
    hours: dict[str, Any] = {"mute_time_intervals": ["lunch"]}
    found = played(fires(0), fires(2, B), ends(20), minutes=70, **hours)
    assert told(found) == [(1, "first", 1, 0), (61, "new", 1, 0)]
    [held] = found.held
    assert held.muting
    assert (held.at, held.muting.until) == (after(6), after(60))
    assert told(played(fires(0), ends(20), minutes=70, **hours)) == [(1, "first", 1, 0)]


def test_each_look_while_it_is_silent_is_told_once_for_each_silence() -> None:
    found = played(fires(10), minutes=26 * 60, mute_time_intervals=["lunch"])
    assert [held.at.day for held in found.held] == [23, 24]


def test_what_was_sent_is_forgotten_after_two_repeats() -> None:
    found = played(fires(0), minutes=65, mute_time_intervals=["lunch"], repeat_interval="10m")
    assert told(found) == [(1, "first", 1, 0), (61, "first", 1, 0)]


def test_it_stops_where_it_would_take_too_long() -> None:
    with pytest.raises(Rejected, match="let it end earlier"):
        played(fires(0), minutes=60 * 24 * 365, group_interval=1)


def test_the_order_in_which_events_are_given_does_not_matter() -> None:
    events = [fires(0), fires(2, B), ends(7, B), ends(12)]
    assert played(*reversed(events), minutes=60) == played(*events, minutes=60)


DOWN = {"alertname": "HostDown", "host": "1"}
SLOW = {"alertname": "Slow", "host": "1"}
RULE = InhibitRule(
    "", (Matcher("alertname", "=", "HostDown"),), (Matcher("alertname", "!=", "HostDown"),), ("host",)
)


def test_what_others_inhibit_is_told_when_they_have_ended() -> None:
    found = played(
        fires(0, DOWN),
        fires(0, SLOW),
        fires(0, {**SLOW, "host": "2"}),
        ends(7, DOWN),
        minutes=12,
        rules=[RULE],
    )
    assert [(one.at, one.group["alertname"], one.kind, one.alerts) for one in found.sent] == [
        (after(1), "HostDown", "first", 1),
        (after(1), "Slow", "first", 1),
        (after(11), "HostDown", "resolved", 1),
        (after(11), "Slow", "new", 2),
    ]
    found = played(fires(0, DOWN), fires(0, SLOW), minutes=12, rules=[RULE])
    assert [one.group["alertname"] for one in found.sent] == ["HostDown"]
    assert [(held.group, held.muting) for held in found.held] == [({"alertname": "Slow"}, None)]


@pytest.mark.parametrize(
    ("source", "target", "silent"),
    [
        (DOWN, SLOW, True),
        (DOWN, {**SLOW, "host": "2"}, False),
        (DOWN, {"alertname": "Slow"}, False),
        ({"alertname": "HostDown"}, {"alertname": "Slow", "host": ""}, True),
        (DOWN, DOWN, False),
        (SLOW, DOWN, False),
    ],
)
def test_who_inhibits_whom(source: dict[str, str], target: dict[str, str], silent: bool) -> None:
    assert inhibited([RULE], [source], target) is silent


def test_two_of_a_kind_do_not_inhibit_each_other() -> None:
    loose = InhibitRule("", (Matcher("severity", "=", "critical"),), (Matcher("team", "=", "web"),), ())
    both = {"severity": "critical", "team": "web"}
    assert not inhibited([loose], [both], {**both, "host": "2"})
    assert inhibited([loose], [both], {"team": "web"})
