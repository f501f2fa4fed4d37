"""When a heartbeat is to come next: every so often, or by a cron line on the wall clock of its time zone."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError

from tocsin.core.durations import compact as compact
from tocsin.core.durations import lasting as lasting
from tocsin.core.durations import seconds as seconds
from tocsin.core.errors import Rejected

GRACE: Final = 3_600
LONGEST: Final = 366 * 86_400  # seconds that a period or a grace may last
_NAMED: Final = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_LEAP: Final = datetime(2024, 1, 1, tzinfo=UTC)  # a cron line that knows no day from here on has none


class Schedule(msgspec.Struct, frozen=True):
    """``period`` in seconds, or a ``cron`` line; neither: it may come whenever it likes. It is late when
    ``grace`` seconds have passed besides, and so is a run that was begun and did not end."""

    period: int | None = None
    cron: str = ""
    timezone: str = "UTC"
    grace: int = GRACE

    def __bool__(self) -> bool:
        return bool(self.period or self.cron)

    def next_after(self, moment: datetime) -> datetime | None:
        """When it is expected next. As cron does, a time that the clocks skip counts when they have been
        put forward, and one that they go through twice counts once."""
        if self.period:
            return moment + timedelta(seconds=self.period)
        if not self.cron:
            return None
        found = next(CronSim(self.cron, moment.astimezone(self.zone)), None)
        return found.astimezone(UTC) if found else None

    @property
    def zone(self) -> ZoneInfo:
        """Whose clock the cron line goes by."""
        return ZoneInfo(self.timezone)

    def words(self) -> str:
        """For people: ``every 15 min``, ``At 03:10 every day, Europe/Berlin``."""
        if self.period:
            return f"every {lasting(self.period)}"
        if not self.cron:
            return "no schedule"
        return f"{CronSim(self.cron, _LEAP).explain()}, {self.timezone}"


def checked(schedule: Schedule) -> Schedule:
    """A schedule that can be kept to. Raises Rejected."""
    cron = " ".join(schedule.cron.split())
    cron = _NAMED.get(cron.lower(), cron)
    if schedule.period and cron:
        raise Rejected("give it a period or a cron line, not both")
    if schedule.period is not None and not 1 <= schedule.period <= LONGEST:
        raise Rejected("the period must be 1 second to 366 days")
    if not 1 <= schedule.grace <= LONGEST:
        raise Rejected("the grace must be 1 second to 366 days")
    timezone = schedule.timezone.strip() or "UTC"
    try:
        ZoneInfo(timezone)
    except (LookupError, ValueError, OSError) as error:
        raise Rejected(f"there is no time zone {timezone[:64]!r}; one is Europe/Berlin") from error
    good = Schedule(schedule.period, cron, timezone, schedule.grace)
    if cron:
        _check_cron(good)
    return good


def _check_cron(schedule: Schedule) -> None:
    cron = schedule.cron
    if len(cron) > 100 or len(cron.split()) != 5:
        raise Rejected(f"{cron[:100]!r} is no cron line: five fields, such as 10 3 * * *")
    try:
        found = schedule.next_after(_LEAP)
    except CronSimError as error:
        raise Rejected(f"{cron!r} is no cron line: {error}") from error
    if found is None:
        raise Rejected(f"{cron!r} names a day that never comes")
