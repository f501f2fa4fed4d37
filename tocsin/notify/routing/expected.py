"""What people expect of routes, as they write it: tests of one alert at one moment, and scenarios."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tocsin.core import durations
from tocsin.core.errors import Rejected

START: Final = datetime(2024, 1, 1, 12, tzinfo=UTC)  # a Monday, for scenarios that name no other
_YEARS: Final = range(1970, 2200)


def moment_of(text: object) -> datetime:
    """A time as people write it; one without a zone is UTC. Raises ValueError."""
    try:
        found = datetime.fromisoformat(str(text))
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        if found.year in _YEARS:
            return found.astimezone(UTC)
    except ValueError:
        pass
    raise ValueError(f"{str(text)[:40]!r} is no time: write it as 2026-11-23T10:00:00+01:00")


def _offset(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        return durations.seconds(text.removeprefix("+"))
    except Rejected as error:
        raise ValueError(str(error)) from None


Moment = Annotated[datetime, BeforeValidator(moment_of)]
Offset = Annotated[int, BeforeValidator(_offset), Field(ge=-10 * 366 * 86_400, le=10 * 366 * 86_400)]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


class Expected(_Written):
    """What should become of an alert. What is left out may be as it is."""

    receivers: list[str] | None = None
    channels: list[str] | None = None
    group_by: list[str] | None = None
    muted: bool | None = None
    muted_until: Moment | None = None


class Test(_Written):
    """One alert at one moment."""

    name: str
    at: Moment | None = None
    labels: dict[str, str]
    expect: Expected


class Comes(_Written):
    """An alert of a scenario, so long after its start."""

    at: Offset
    labels: dict[str, str]
    status: Literal["firing", "resolved"] = "firing"
    firing_for: Offset = 0


class ExpectedMessage(_Written):
    """A message that should be sent. What is left out may be as it is."""

    at: Offset
    receiver: str | None = None
    channel: str | None = None
    kind: Literal["first", "new", "some_resolved", "resolved", "repeat"] | None = None
    alerts: int | None = None
    firing: int | None = None
    resolved: int | None = None
    group: dict[str, str] | None = None


class Scenario(_Written):
    """Alerts that come and end, and all messages up to ``until``."""

    name: str
    start: Moment = START
    until: Offset | None = None
    alerts: list[Comes] = Field(min_length=1, max_length=10_000)
    expect: list[ExpectedMessage] = []
