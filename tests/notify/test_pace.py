"""How fast a channel is served, whatever comes: never faster than its rate, and never silent for good."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tocsin.notify.drivers import Rate
from tocsin.notify.pace import FAILURES_TO_OPEN, LONGEST_PAUSE, PATIENCE, Pace

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
steps = st.lists(st.tuples(st.floats(0, 100), st.integers(0, 50)), max_size=40)
rates = st.builds(Rate, st.floats(0.01, 50), st.integers(1, 100))
outcomes = st.sampled_from(["sent", "failed", "asked to wait", "refused"])


@given(rates, steps)
def test_never_more_than_the_burst_and_what_time_brings(rate: Rate, steps: list[tuple[float, int]]) -> None:
    pace, now, sent = Pace(1), NOW, 0
    for seconds, room in steps:
        now += timedelta(seconds=seconds)
        most = pace.allows(rate, now, room)
        assert 0 <= most <= room
        pace.spend(most, now)
        sent += most
        assert sent <= rate.burst + (now - NOW).total_seconds() * rate.per_second + 1e-6


@given(rates, st.lists(st.tuples(outcomes, st.floats(0, 30), st.integers(1, 64)), max_size=40))
def test_whatever_happened_it_is_tried_again_soon(rate: Rate, told: list[tuple[str, float, int]]) -> None:
    pace, now = Pace(1), NOW
    for what, seconds, times in told:
        now += timedelta(seconds=seconds)
        pace.spend(pace.allows(rate, now, 64), now)
        _learn(pace, what, now, times)
    assert pace.allows(rate, now + LONGEST_PAUSE + timedelta(seconds=1 / rate.per_second), 64) >= 1


def _learn(pace: Pace, what: str, now: datetime, times: int) -> None:
    if what == "sent":
        pace.succeeded(now)
    elif what == "refused":
        pace.refused("no", now)
    else:
        wait = 3600.0 if what == "asked to wait" else None
        pace.failed("HTTP 500", now, times=times, retry_after=wait)


@given(st.lists(outcomes, max_size=40))
def test_people_hear_of_what_fails_and_then_that_it_works(told: list[str]) -> None:
    pace, now = Pace(1), NOW
    for what in [*told, "sent"]:
        now += timedelta(seconds=50)
        _learn(pace, what, now, 1)
        if pace.tell_at is not None and pace.tell_at <= now:
            pace.told, pace.tell_at = pace.failing_since is not None, None
    assert pace.failures == 0
    assert pace.tell_at == (now + PATIENCE if pace.told else None)


@given(st.timedeltas(timedelta(seconds=121), timedelta(days=3650)), rates)
def test_a_clock_that_was_wrong_stops_nothing(ahead: timedelta, rate: Rate) -> None:
    there = NOW + ahead
    pace = Pace(1, tokens=0, filled_at=there, failures=FAILURES_TO_OPEN, paused_until=there)
    assert pace.allows(rate, NOW, 64) == 1
    pace.failed("HTTP 500", NOW, times=1, retry_after=None)
    assert pace.allows(rate, NOW, 64) == 0


def test_many_that_fail_at_once_open_the_circuit_as_far_as_a_few_do() -> None:
    few, many = Pace(1), Pace(1)
    few.failed("HTTP 500", NOW, times=FAILURES_TO_OPEN, retry_after=None)
    many.failed("HTTP 500", NOW, times=1000, retry_after=None)
    assert few.failures == many.failures
    many.failed("HTTP 500", NOW, times=1000, retry_after=None)
    assert many.failures == FAILURES_TO_OPEN + 1


def test_who_says_when_is_alive() -> None:
    pace = Pace(1)
    pace.failed("HTTP 429", NOW, times=100, retry_after=5)
    assert not pace.is_open
    assert pace.allows(None, NOW + timedelta(seconds=4), 9) == 0
    assert pace.allows(None, NOW + timedelta(seconds=6), 9) == 9


@given(st.lists(st.booleans(), min_size=2, max_size=40))
def test_a_channel_that_fails_now_and_then_is_no_two_alerts_a_minute(sent: list[bool]) -> None:
    pace, now, turns = Pace(1), NOW, 0
    for good in sent:
        now += timedelta(seconds=1)
        pace.succeeded(now) if good else pace.refused("no", now)
        if pace.tell_at is not None and pace.tell_at <= now:
            before, pace.told, pace.tell_at = pace.told, pace.failing_since is not None, None
            turns += before != pace.told
    assert turns <= 1
    assert msgspec.json.decode(msgspec.json.encode(pace), type=Pace) == pace
