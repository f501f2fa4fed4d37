"""The one place that asks what time it is. Everything else is told (``now`` is an argument)."""

from datetime import UTC, datetime

ZERO_YEAR = 1  # Go's zero time: "not given" in Prometheus' and Alertmanager's payloads


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def given(moment: datetime | None) -> datetime | None:
    """A source's time in UTC; None where it is absent or Go's zero time. A naive time is read as UTC."""
    if moment is None or moment.year <= ZERO_YEAR:
        return None
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
