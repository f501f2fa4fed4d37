"""Time intervals as Alertmanager has them, and holidays: which hours they cover, and until when.

Of an interval all fields that are given must fit, and of a field any of its ranges. Clocks are those of the
interval's own zone.
"""

import calendar
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

HORIZON: Final = timedelta(days=5 * 366)  # further ahead nobody looks for a change
_DAY: Final = timedelta(days=1)
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)
_DATE: Final = re.compile(r"(?:(\d{4})-)?(\d\d)-(\d\d)", re.ASCII)
_LEAP_YEAR: Final = 2024
WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS: Final = tuple(name.lower() for name in calendar.month_name)[1:]
_LOCALTIME: Final = "/etc/localtime"

Range = tuple[int, int]
Day = date | tuple[int, int]  # one day, or the same month and day of each year


# How they are written.


def minute(text: str) -> int:
    """``16:30`` as the minute of its day. Raises ValueError."""
    if not _CLOCK.fullmatch(text):
        raise ValueError(f"{text[:20]!r} is no time of day: write it as 09:00, the end of the day as 24:00")
    return int(text[:2]) * 60 + int(text[3:])


def read_weekdays(text: str) -> Range:
    """``monday:friday`` or ``saturday``. Raises ValueError."""
    return _ordered(text, lambda word: _listed(word, WEEKDAYS, "day of the week"))


def read_months(text: str) -> Range:
    """``march:may``, ``1:3`` or ``december``. Raises ValueError."""
    return _ordered(text, _month)


def read_years(text: str) -> Range:
    """``2026:2028`` or ``2026``. Raises ValueError."""
    return _ordered(text, lambda word: _number(word, "year"))


def read_days_of_month(text: str) -> Range:
    """``1:5``, ``15`` or ``-3:-1``, which are the month's last three. Raises ValueError."""
    first, last = _range(text, lambda word: _number(word, "day of the month"))
    for day in (first, last):
        if not 1 <= abs(day) <= 31:
            raise ValueError(f"{day} is no day of the month")
    if first < 0 < last:
        raise ValueError(f"{text}: where it begins from the month's end it must end there too")
    if (first + 28 if first < 0 else first) > (last + 28 if last < 0 else last):
        raise ValueError(f"{text}: it always ends before it begins")
    return first, last


def zone(name: str) -> tzinfo:
    """A zone by its name; ``Local`` is this machine's. Raises ValueError."""
    if name in ("", "UTC"):
        return UTC
    try:
        if name == "Local":
            with open(_LOCALTIME, "rb") as file:
                return ZoneInfo.from_file(file, "Local")
        return ZoneInfo(name)
    except FileNotFoundError:  # a machine without a zone of its own runs on UTC
        if name == "Local":
            return UTC
        raise ValueError(f"there is no time zone {name[:60]!r}") from None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name[:60]!r}: write it as Europe/Berlin") from None


def holiday(text: str) -> Day:
    """``2026-04-03``, or ``12-25`` for each year. Raises ValueError."""
    found = _DATE.fullmatch(text)
    wrong = f"{text[:20]!r} is no date: write it as 2026-04-03, or as 12-25 for each year"
    if found is None:
        raise ValueError(wrong)
    year, month, day = found.groups()
    try:
        one = date(int(year or _LEAP_YEAR), int(month), int(day))
    except ValueError:
        raise ValueError(wrong) from None
    return one if year else (one.month, one.day)


def _ordered(text: str, read: Callable[[str], int]) -> Range:
    first, last = _range(text, read)
    if first > last:
        raise ValueError(f"{text}: it ends before it begins")
    return first, last


def _range(text: str, read: Callable[[str], int]) -> Range:
    first, colon, last = text.lower().partition(":")
    return read(first), read(last if colon else first)


def _number(word: str, what: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"{word[:20]!r} is no {what}") from None


def _month(word: str) -> int:
    found = int(word) if word.isdecimal() else _listed(word, MONTHS, "month") + 1
    if not 1 <= found <= 12:
        raise ValueError(f"{word!r} is no month")
    return found


def _listed(word: str, words: Sequence[str], what: str) -> int:
    if word not in words:
        raise ValueError(f"{word[:20]!r} is no {what}")
    return words.index(word)


def _text(read: Callable[[str], object]) -> AfterValidator:
    """A field that keeps what was written, once it could be read."""

    def kept(text: str) -> str:
        read(text)
        return text

    return AfterValidator(kept)


class TimeRange(BaseModel):
    """Hours of a day, from and up to; a night takes two of them, as it has two days."""

    model_config = ConfigDict(extra="forbid")

    start_time: Annotated[str, _text(minute)]
    end_time: Annotated[str, _text(minute)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if minute(self.start_time) >= minute(self.end_time):
            raise ValueError(
                f"{self.start_time} to {self.end_time}: it must end after it begins; a night is two ranges, "
                "up to 24:00 and from 00:00"
            )
        return self


class TimeInterval(BaseModel):
    """Hours as people write them. What is left out fits always."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    times: list[TimeRange] | None = None
    weekdays: list[Annotated[str, _text(read_weekdays)]] | None = None
    days_of_month: list[Annotated[str, _text(read_days_of_month)]] | None = None
    months: list[Annotated[str, _text(read_months)]] | None = None
    years: list[Annotated[str, _text(read_years)]] | None = None
    location: Annotated[str, _text(zone)] | None = None
    holidays: list[str] | None = None
    except_holidays: list[str] | None = None


# What they cover.


class Interval(msgspec.Struct, frozen=True):
    """An interval, ready to be asked."""

    zone: tzinfo = UTC
    times: tuple[Range, ...] | None = None
    weekdays: tuple[Range, ...] | None = None
    days_of_month: tuple[Range, ...] | None = None
    months: tuple[Range, ...] | None = None
    years: tuple[Range, ...] | None = None
    holidays: frozenset[Day] | None = None
    except_holidays: frozenset[Day] = frozenset()

    def has(self, day: date) -> bool:
        """Whether some hours of this day may be covered."""
        return (
            _within(self.months, day.month)
            and _within(self.years, day.year)
            and _within(self.weekdays, day.isoweekday() % 7)
            and _in_month(self.days_of_month, day)
            and (self.holidays is None or _among(self.holidays, day))
            and not _among(self.except_holidays, day)
        )


def compiled(written: TimeInterval, holidays: Mapping[str, Iterable[str]]) -> Interval:
    """An interval out of a checked document, with the lists of holidays it names."""
    named = written.holidays
    return Interval(
        zone=zone(written.location or "UTC"),
        times=None if written.times is None else tuple(
            (minute(one.start_time), minute(one.end_time)) for one in written.times
        ),
        weekdays=_ranges(read_weekdays, written.weekdays),
        days_of_month=_ranges(read_days_of_month, written.days_of_month),
        months=_ranges(read_months, written.months),
        years=_ranges(read_years, written.years),
        holidays=None if named is None else _days(named, holidays),
        except_holidays=_days(written.except_holidays or [], holidays),
    )  # fmt: skip


def covers(interval: Interval, at: datetime) -> bool:
    """Whether this moment is within the interval, by the clock of its zone."""
    local = at.astimezone(interval.zone)
    return _in_times(interval.times, local.hour * 60 + local.minute) and interval.has(local.date())


def covered(intervals: Iterable[Interval], at: datetime) -> bool:
    """Whether this moment is within any of them."""
    return any(covers(interval, at) for interval in intervals)


def until(intervals: Sequence[Interval], at: datetime) -> datetime | None:
    """When it changes next whether any of them covers the moment; None where it does not for five years."""
    return next_change(lambda moment: covered(intervals, moment), intervals, at)


def next_change(
    state: Callable[[datetime], bool], intervals: Sequence[Interval], at: datetime
) -> datetime | None:
    """When a state that depends on these intervals is next another; None where it stays for five years."""
    now = state(at)
    for moment in _moments(intervals, at):
        if state(moment) != now:
            return moment
    return None


def _ranges(read: Callable[[str], Range], written: list[str] | None) -> tuple[Range, ...] | None:
    return None if written is None else tuple(map(read, written))


def _days(names: Iterable[str], holidays: Mapping[str, Iterable[str]]) -> frozenset[Day]:
    return frozenset(holiday(text) for name in names for text in holidays[name])


def _within(ranges: tuple[Range, ...] | None, value: int) -> bool:
    return ranges is None or any(first <= value <= last for first, last in ranges)


def _in_times(ranges: tuple[Range, ...] | None, value: int) -> bool:
    return ranges is None or any(first <= value < last for first, last in ranges)


def _in_month(ranges: tuple[Range, ...] | None, day: date) -> bool:
    if ranges is None:
        return True
    length = calendar.monthrange(day.year, day.month)[1]
    for first, last in ranges:
        begin = first + length + 1 if first < 0 else first
        end = last + length + 1 if last < 0 else last
        if begin <= day.day <= end:
            return True
    return False


def _among(days: frozenset[Day], day: date) -> bool:
    return day in days or (day.month, day.day) in days


# When that can change: where its hours begin and end, at midnights, and when clocks are set.


def _moments(intervals: Sequence[Interval], at: datetime) -> Iterator[datetime]:
    """All moments after ``at`` at which an interval may begin or end, in order, for five years."""
    first = at.astimezone(UTC).date()
    last = first + HORIZON if first.year < 9_990 else first
    waiting: set[datetime] = set()
    day = first - 2 * _DAY
    while day <= last:
        for interval in intervals:
            waiting.update(moment for moment in _of_day(interval, day) if moment > at)
        day += _DAY
        # In no zone does a later day begin before this one's noon the day before.
        ready = sorted(moment for moment in waiting if moment.date() < day - _DAY)
        waiting.difference_update(ready)
        yield from ready


def _of_day(interval: Interval, day: date) -> Iterator[datetime]:
    """When the interval may begin or end on a day of its zone; never where it is as its neighbours."""
    around = [interval.has(day - _DAY), interval.has(day), interval.has(day + _DAY)]
    if not any(around) or (all(around) and interval.times is None):
        return
    for edge in {0, *(edge for times in interval.times or () for edge in times)}:
        yield from _instants(interval.zone, day, edge)
    yield from _clock_changes(interval.zone, day)


def _instants(zone: tzinfo, day: date, edge: int) -> Iterator[datetime]:
    """The moments when a zone's clock shows that minute of that day: two where it is set back."""
    wall = datetime.combine(day, time(0)) + timedelta(minutes=edge)
    for fold in (0, 1):
        yield wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _clock_changes(zone: tzinfo, day: date) -> Iterator[datetime]:
    """The moment of this day at which a zone's clock is set forward or back, if there is one."""
    midnight = datetime.combine(day, time(0), zone)
    early, late = midnight.astimezone(UTC), (midnight + _DAY).replace(fold=1).astimezone(UTC)
    before = early.astimezone(zone).utcoffset()
    if late.astimezone(zone).utcoffset() == before:
        return
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    yield late
