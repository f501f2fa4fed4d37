"""When a heartbeat is to come next, whatever the clocks do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import Rejected
from tocsin.fleet.schedule import Schedule, checked, compact, lasting, seconds


def after(schedule: Schedule, *at: int) -> str:
    found = schedule.next_after(datetime(*at, tzinfo=UTC))  # type: ignore[misc,arg-type]
    assert found is not None and found.tzinfo is UTC
    return f"{found:%m-%d %H:%M}"


def test_a_period_counts_from_the_last_ping() -> None:
    assert after(Schedule(period=3_600), 2026, 3, 29, 0, 30) == "03-29 01:30"


def test_without_a_schedule_nothing_is_expected() -> None:
    assert Schedule().next_after(datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert not Schedule()


@pytest.mark.parametrize(
    ("cron", "at", "expected"),
    [
        # Berlin's clocks go from 02:00 to 03:00 on March 29th, and from 03:00 to 02:00 on October 25th.
        ("30 2 * * *", (2026, 3, 28, 12), "03-29 01:00"),
        ("30 2 * * *", (2026, 3, 29, 1, 0), "03-30 00:30"),
        ("10 3 * * *", (2026, 3, 28, 12), "03-29 01:10"),
        ("10 3 * * *", (2026, 3, 29, 12), "03-30 01:10"),
        ("*/30 * * * *", (2026, 3, 29, 0, 30), "03-29 01:00"),
        ("30 2 * * *", (2026, 10, 24, 12), "10-25 00:30"),
        ("30 2 * * *", (2026, 10, 25, 0, 30), "10-26 01:30"),
        ("10 3 * * *", (2026, 10, 24, 12), "10-25 02:10"),
        ("0 * * * *", (2026, 10, 25, 0, 0), "10-25 01:00"),
        ("0 12 * * *", (2026, 1, 1), "01-01 11:00"),
        ("0 12 * * *", (2026, 7, 1), "07-01 10:00"),
    ],
)  # fmt: skip
def test_a_cron_line_goes_by_the_wall_clock(cron: str, at: tuple[int, ...], expected: str) -> None:
    assert after(Schedule(cron=cron, timezone="Europe/Berlin"), *at) == expected


@given(
    st.integers(1_577_836_800, 1_893_456_000).map(lambda stamp: datetime.fromtimestamp(stamp, UTC)),
    st.sampled_from(["*/7 * * * *", "30 2 * * *", "0 0 1 * *", "15 1-3 * * mon", "0 3 L * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_the_next_time_is_always_ahead(moment: datetime, cron: str, zone: str) -> None:
    found = Schedule(cron=cron, timezone=zone).next_after(moment)
    assert found is not None and moment < found < moment + timedelta(days=63)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (Schedule(period=0), "the period"), (Schedule(period=10**9), "the period"),
        (Schedule(grace=0), "the grace"), (Schedule(period=60, cron="* * * * *"), "not both"),
        (Schedule(cron="61 * * * *"), "no cron line"), (Schedule(cron="* * * *"), "five fields"),
        (Schedule(cron="* * * * * *"), "five fields"), (Schedule(cron="Mon *-*-* 10:00"), "no cron line"),
        (Schedule(cron="0 0 30 2 *"), "cron line"), (Schedule(cron="x" * 500), "five fields"),
        (Schedule(cron="* * * * *", timezone="Mars/Olympus"), "no time zone"),
        (Schedule(cron="* * * * *", timezone="../../etc/passwd"), "no time zone"),
        (Schedule(cron="* * * * *", timezone="Europe"), "no time zone"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_to_is_refused(given: Schedule, wrong: str) -> None:
    with pytest.raises(Rejected, match=wrong):
        checked(given)


def test_what_is_kept_is_in_one_form() -> None:
    assert checked(Schedule(cron=" @daily ", timezone=" ")) == Schedule(cron="0 0 * * *")
    assert checked(Schedule(cron="5  4 * *   sun", timezone="Asia/Tokyo")).cron == "5 4 * * sun"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5_400),
        ("2 d", 172_800),
        ("1w", 604_800),
        ("1H", 3_600),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, whole: int) -> None:
    assert seconds(text) == whole
    assert seconds(compact(whole)) == whole


@pytest.mark.parametrize("text", ["", "h", "5x", "-5m", "1.5h", "5m!", "²"])
def test_other_words_are_no_duration(text: str) -> None:
    with pytest.raises(Rejected, match="is no duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("whole", "words"),
    [(0, "0 s"), (45, "45 s"), (60, "1 min"), (5_400, "1 h 30 min"), (90_061, "1 d 1 h 1 min 1 s")],
)
def test_durations_are_told_in_words(whole: int, words: str) -> None:
    assert lasting(whole) == words


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Schedule(), "no schedule"), (Schedule(period=900), "every 15 min"),
        (Schedule(cron="10 3 * * *", timezone="Europe/Berlin"), "At 03:10 every day, Europe/Berlin"),
    ],
)  # fmt: skip
def test_a_schedule_is_told_in_words(schedule: Schedule, words: str) -> None:
    assert schedule.words() == words
