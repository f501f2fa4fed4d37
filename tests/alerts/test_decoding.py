"""Typed decoding of lists of alerts."""

import msgspec
import pytest

from tocsin.alerts.drivers import drivers
from tocsin.core.errors import Rejected


def test_a_refusal_is_short_and_names_its_place_however_long_the_value() -> None:
    alerts = [{"labels": {"alertname": "Full"}}, {"labels": {"alertname": "Full"}, "status": "x" * 9_000}]
    driver = drivers.get("alertmanager")()
    (problem,) = driver.parse(msgspec.json.encode({"alerts": alerts})).errors
    assert (problem.index, len(problem.message) < 500) == (1, True)
    with pytest.raises(Rejected, match=r"^alerts: Invalid enum value .{300,420}`\$\[0\]\.status`$"):
        driver.parse(msgspec.json.encode({"alerts": alerts[1:]}))
