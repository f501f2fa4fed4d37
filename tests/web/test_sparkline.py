"""Small curves: which metric, and what is drawn."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.web.sparkline import HEIGHT, MOST_POINTS, WIDTH, Measured, draw, main_metric, shown

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def runs(*metrics: dict[str, Any]) -> list[tuple[datetime, dict[str, Any]]]:
    first = NOW - timedelta(minutes=10 * len(metrics))
    return [(first + timedelta(minutes=10 * n), told) for n, told in enumerate(metrics, 1)]


def curve(*values: float) -> str:
    measured = main_metric(runs(*({"x": value} for value in values)))
    assert measured is not None
    return draw(measured, NOW - timedelta(hours=12), NOW)


@pytest.mark.parametrize(
    ("metrics", "name"),
    [
        ({"load": 1, "used_percent": 2}, "used_percent"),
        ({"free_bytes[/]": 1, "used_percent[/]": 2, "used_percent[/var]": 3}, "used_percent[/]"),
        ({"seconds": 0.2, "status": 200}, "seconds"),
        ({"told": "x", "up": True, "nothing": None, "endless": float("inf"), "seconds": 1}, "seconds"),
        ({"told": "x"}, None),
        ({}, None),
    ],
)
def test_which_metric(metrics: dict[str, Any], name: str | None) -> None:
    found = main_metric(runs(metrics))
    assert (found and found.name) == name


def test_runs_that_lack_it_are_left_out() -> None:
    found = main_metric(runs({"x": 1}, {}, {"x": "?"}, {"x": 3}, {}))
    assert found is not None and [value for _, value in found.values] == [1, 3]


def test_all_points_are_on_the_picture() -> None:
    drawn = curve(*range(-500, 500))
    points = [tuple(map(float, pair.split(","))) for pair in drawn.split('points="')[1].split('"')[0].split()]
    assert len(points) == MOST_POINTS
    assert all(y <= HEIGHT and x <= WIDTH for x, y in points)
    assert points[-1] == (WIDTH - 2, 2)


def test_a_peak_is_kept() -> None:
    drawn = curve(*([1] * 500 + [99] + [1] * 500))
    assert ",2.0 " in drawn


def test_steady_and_single() -> None:
    assert f",{HEIGHT / 2:.1f} " in curve(5, 5, 5)
    assert curve(5) == ""


def test_a_name_is_text() -> None:
    values = [(NOW - timedelta(minutes=5), 1.0), (NOW, 2.0)]
    assert "<script>" not in draw(Measured('"><script>', values), NOW - timedelta(hours=1), NOW)


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (12.34, "12.3"), (0.2512, "0.251"), (4096.4, "4,096"), (-3, "-3"), (2e9, "2e+09")],
)  # fmt: skip
def test_numbers_in_short(value: float, told: str) -> None:
    assert shown(value) == told
