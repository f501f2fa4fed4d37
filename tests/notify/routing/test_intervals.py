"""Hours as Alertmanager has them, holidays, and when that changes; also while clocks are set."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tocsin.notify.routing import intervals
from tocsin.notify.routing.intervals import Interval, TimeInterval, compiled, covers, until

HOLIDAYS = {"closed": ["2026-04-03", "12-25"], "leap": ["02-29"]}
MINUTE = timedelta(minutes=1)
BERLIN = {"location": "Europe/Berlin"}


def interval(**written: Any) -> Interval:
    return compiled(TimeInterval.model_validate(written), HOLIDAYS)


def at(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def hours(start: str, end: str) -> list[dict[str, str]]:
    return [{"start_time": start, "end_time": end}]


NIGHT = hours("22:00", "24:00") + hours("00:00", "06:00")


@pytest.mark.parametrize(
    ("written", "moment", "covered"),
    [
        ({}, "2026-11-21T12:00", True),
        ({"times": hours("09:00", "17:00")}, "2026-11-21T09:00", True),
        ({"times": hours("09:00", "17:00")}, "2026-11-21T16:59:59", True),
        ({"times": hours("09:00", "17:00")}, "2026-11-21T17:00", False),
        ({"times": hours("22:00", "24:00")}, "2026-11-21T23:59:59", True),
        ({"times": []}, "2026-11-21T12:00", False),
        ({"weekdays": ["saturday"]}, "2026-11-21T12:00", True),
        ({"weekdays": ["Monday:Friday"]}, "2026-11-21T12:00", False),
        ({"weekdays": ["sunday:tuesday"]}, "2026-11-22T12:00", True),
        ({"days_of_month": ["-1"]}, "2026-02-28T12:00", True),
        ({"days_of_month": ["-1"]}, "2028-02-28T12:00", False),
        ({"days_of_month": ["31"]}, "2026-11-30T12:00", False),
        ({"days_of_month": ["28:31"]}, "2026-11-30T12:00", True),
        ({"days_of_month": ["-31:3"]}, "2026-02-03T12:00", None),
        ({"days_of_month": ["1:-2"]}, "2026-02-27T12:00", True),
        ({"days_of_month": ["1:-2"]}, "2026-02-28T12:00", False),
        ({"months": ["march:may", "12"]}, "2026-04-01T12:00", True),
        ({"months": ["march:may", "12"]}, "2026-12-01T12:00", True),
        ({"months": ["march:may", "12"]}, "2026-11-01T12:00", False),
        ({"years": ["2025:2027"]}, "2026-01-01T00:00", True),
        ({"years": ["2027"]}, "2026-12-31T23:59", False),
        ({"years": ["2027"], "location": "Asia/Tokyo"}, "2026-12-31T23:59", True),
        ({"times": hours("09:00", "10:00"), "location": "Europe/Berlin"}, "2026-07-01T07:30", True),
        ({"times": hours("09:00", "10:00"), "location": "Europe/Berlin"}, "2026-01-01T07:30", False),
        ({"holidays": ["closed"]}, "2026-04-03T12:00", True),
        ({"holidays": ["closed"]}, "2027-12-25T12:00", True),
        ({"holidays": ["closed"]}, "2027-04-03T12:00", False),
        ({"holidays": ["closed"], "location": "Asia/Tokyo"}, "2026-12-24T16:00", True),
        ({"weekdays": ["monday:friday"], "except_holidays": ["closed"]}, "2026-12-25T12:00", False),
        ({"weekdays": ["monday:friday"], "except_holidays": ["closed"]}, "2026-12-24T12:00", True),
        ({"holidays": ["leap"]}, "2028-02-29T12:00", True),
    ],
)  # fmt: skip
def test_hours_that_are_covered(written: dict[str, Any], moment: str, covered: bool | None) -> None:
    if covered is None:
        with pytest.raises(ValidationError):
            interval(**written)
    else:
        assert covers(interval(**written), at(moment)) is covered


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"times": hours("22:00", "06:00")}, "a night is two ranges"),
        ({"times": hours("9:00", "17:00")}, "no time of day"),
        ({"times": hours("09:00", "24:01")}, "no time of day"),
        ({"times": [{"start_time": "09:00"}]}, "Field required"),
        ({"weekdays": ["friday:monday"]}, "ends before it begins"),
        ({"weekdays": ["freitag"]}, "no day of the week"),
        ({"days_of_month": ["0"]}, "no day of the month"),
        ({"days_of_month": ["32"]}, "no day of the month"),
        ({"days_of_month": ["-3:3"]}, "must end there too"),
        ({"days_of_month": ["20:10"]}, "always ends before"),
        ({"months": ["may:march"]}, "ends before it begins"),
        ({"months": ["13"]}, "no month"),
        ({"years": ["2027:2026"]}, "ends before it begins"),
        ({"years": ["next"]}, "no year"),
        ({"location": "Europe/Atlantis"}, "no time zone"),
        ({"location": "../../etc/passwd"}, "no time zone"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_hours_that_cannot_be(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        interval(**written)


@pytest.mark.parametrize("text", ["2026-02-29", "13-01", "1-1", "25-12-2026", "", "2026-04-03T00:00"])
def test_dates_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no date"):
        intervals.holiday(text)


@pytest.mark.parametrize(
    ("written", "moment", "then"),
    [
        ({"times": hours("09:00", "17:00")}, "2026-11-21T12:00", "2026-11-21T17:00"),
        ({"times": hours("09:00", "17:00")}, "2026-11-21T17:00", "2026-11-22T09:00"),
        ({"times": NIGHT}, "2026-11-21T23:00", "2026-11-22T06:00"),
        ({"weekdays": ["monday:friday"]}, "2026-11-20T12:00", "2026-11-21T00:00"),
        ({"weekdays": ["friday"], "location": "Australia/Sydney"}, "2026-11-20T00:00", "2026-11-20T13:00"),
        ({"years": ["2029"]}, "2026-11-21T12:00", "2029-01-01T00:00"),
        ({"holidays": ["leap"]}, "2026-11-21T12:00", "2028-02-29T00:00"),
        # Berlin's clocks go from 2 to 3 on 2026-03-29, and from 3 back to 2 on 2026-10-25.
        ({"times": hours("02:30", "04:00"), **BERLIN}, "2026-03-29T00:00", "2026-03-29T01:00"),
        ({"times": hours("02:00", "02:30"), **BERLIN}, "2026-10-25T00:10", "2026-10-25T00:30"),
        ({"times": hours("02:00", "02:30"), **BERLIN}, "2026-10-25T00:40", "2026-10-25T01:00"),
        ({"times": hours("02:30", "03:00"), **BERLIN}, "2026-10-25T00:40", "2026-10-25T01:00"),
        ({}, "2026-11-21T12:00", None),
        ({"times": []}, "2026-11-21T12:00", None),
        ({"years": ["2020:2099"]}, "2026-11-21T12:00", None),
    ],
)  # fmt: skip
def test_when_it_changes(written: dict[str, Any], moment: str, then: str | None) -> None:
    assert until([interval(**written)], at(moment)) == (at(then) if then else None)


def test_one_takes_over_from_another() -> None:
    evening, night = interval(times=hours("18:00", "22:00")), interval(times=hours("22:00", "23:00"))
    assert until([evening, night], at("2026-11-21T19:00")) == at("2026-11-21T23:00")
    assert until([], at("2026-11-21T19:00")) is None


# A year of clocks that are set, in zones that do it differently: by half an hour, at midnight, never.
ZONES = [
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago",
    "Asia/Beirut", "Africa/Casablanca", "Asia/Kolkata", "Pacific/Kiritimati", "UTC",
]  # fmt: skip


def transitions(zone: str) -> Iterator[datetime]:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    while moment.year == 2026:
        later = moment + timedelta(hours=1)
        if moment.astimezone(ZoneInfo(zone)).utcoffset() != later.astimezone(ZoneInfo(zone)).utcoffset():
            yield moment
        moment = later


AROUND = {zone: [*transitions(zone), datetime(2026, 6, 30, 23, tzinfo=UTC)] for zone in ZONES}


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[Interval], datetime]:
    """Random hours, and a moment not long before a clock is set."""
    zones = draw(st.lists(st.sampled_from(ZONES), min_size=1, max_size=2))
    moment = draw(st.sampled_from(AROUND[zones[0]])) + draw(st.integers(-1_500, 300)) * MINUTE
    return [draw(some_hours(zone, moment.date())) for zone in zones], moment


@st.composite
def some_hours(draw: st.DrawFn, zone: str, near: date) -> Interval:
    edges = sorted(draw(st.lists(st.integers(0, 1_440), min_size=2, max_size=4, unique=True)))
    times = tuple(zip(edges[::2], edges[1::2], strict=False))
    first = draw(st.integers(0, 6))
    return Interval(
        zone=ZoneInfo(zone),
        times=draw(st.sampled_from([times, None])),
        weekdays=draw(st.sampled_from([None, ((first, 6),)])),
        days_of_month=draw(st.sampled_from([None, ((-3, -1),), ((1, near.day),)])),
        except_holidays=draw(st.sampled_from([frozenset(), frozenset({near}), frozenset({(near.month, 1)})])),
    )


@settings(max_examples=60)
@given(asked())
def test_changes_are_those_that_walking_finds(question: tuple[list[Interval], datetime]) -> None:
    given_intervals, moment = question
    state = intervals.covered(given_intervals, moment)
    found = until(given_intervals, moment)
    walked = moment + MINUTE
    while walked < moment + timedelta(days=1) and intervals.covered(given_intervals, walked) == state:
        walked += MINUTE
    if walked < moment + timedelta(days=1):
        assert found == walked
    else:
        assert found is None or found >= walked
