"""Times as monitoring tools write them."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerts import times
from tocsin.alerts.drivers import drivers
from tocsin.core.errors import Rejected

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-21T12:00:00Z", "2026-11-21T12:00:00.000+0000", "2026-11-21T13:30:00+01.30",
        "2026-11-21T13:00:00+01", "2026-11-21 12:00:00 +0000 UTC", "2026-11-21 12:00:00 UTC",
        "2026-11-21 12:00:00", "2026-11-21T12:00Z", "2026-11-21T12:00:00.0000000Z",
        "2026-11-21T12:00:00.000000000-00:00", "2026.11.21 12:00:00", "2026/11/21 12:00:00",
        "21.11.2026 12:00:00", "21.11.2026, 12:00:00", "Sat, 21 Nov 2026 13:00:00 +0100",
        "20261121T120000Z", " 2026-11-21T12:00:00Z ", "1795262400", "1795262400.0", "1795262400000",
        1795262400, 1795262400.0, 1795262400000, 1795262400000000, 1795262400000000000,
    ],
)  # fmt: skip
def test_noon_as_many_write_it(written: object) -> None:
    assert times.read(written) == NOON


@pytest.mark.parametrize(
    "absent", [None, "", " ", 0, "0", 0.0, "{EVENT.RECOVERY.DATE}", "$DATE$", "0001-01-01T00:00:00Z"]
)
def test_what_was_not_given(absent: object) -> None:
    assert times.read(absent) is None


@pytest.mark.parametrize(
    "wrong", ["soon", "2026-13-01T00:00:00Z", "12", True, [], {}, float("nan"), 1e300, "²"]
)
def test_what_is_no_time(wrong: object) -> None:
    with pytest.raises(ValueError):
        times.read(wrong)


def test_a_refusal_is_short_however_long_the_text() -> None:
    for text in ("2026-11-21T" + "x" * 9_000, "soon" * 9_000, "9" * 9_000):
        with pytest.raises(ValueError, match="^not a time: .{1,70}$"):
            times.read(text)


def test_nothing_lasts_beyond_the_last_day_that_there_is() -> None:
    event = {"collected_sec": "9999-12-31T23:59:59Z", "service": "etc", "state": 2}
    with pytest.raises(Rejected, match="collected_sec: 9999-12-31T23:59:59.00:00 is out of range"):
        drivers.get("monit")().parse(msgspec.json.encode({"monit": {"event": event}}))


@given(st.text(max_size=40) | st.floats() | st.integers())
def test_anything_is_a_time_or_is_refused(value: object) -> None:
    try:
        moment = times.read(value)
    except ValueError:
        return
    assert moment is None or moment.tzinfo is UTC
