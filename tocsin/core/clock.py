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
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the last hours of the year 9999, seen from the west; no bound lets it pass
        return moment.replace(tzinfo=UTC)
