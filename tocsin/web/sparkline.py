"""Measurements as a small curve, drawn on the server: no script, and nothing to load."""

from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from typing import Any, Final, NamedTuple

from django.utils.html import format_html
from django.utils.safestring import SafeString

WIDTH, HEIGHT, MARGIN = 140, 26, 2
MOST_POINTS: Final = 70


class Measured(NamedTuple):
    """A metric's values over time, oldest first."""

    name: str
    values: list[tuple[datetime, float]]

    @property
    def last(self) -> str:
        """The newest, for people to read."""
        return shown(self.values[-1][1])


def main_metric(runs: Sequence[tuple[datetime, dict[str, Any]]]) -> Measured | None:
    """The metric that tells most: a percentage where there is one, else the first. Runs are oldest first."""
    known = next((names for _, metrics in reversed(runs) if (names := list(_numbers(metrics)))), [])
    if not known:
        return None
    name = next((name for name in known if name.partition("[")[0].endswith("percent")), known[0])
    return Measured(name, [(at, numbers[name]) for at, told in runs if name in (numbers := _numbers(told))])


def draw(measured: Measured, since: datetime, until: datetime) -> SafeString:
    """The curve; empty where there is but one value."""
    values = _thinned(measured.values)
    if len(values) < 2:
        return SafeString("")
    numbers = [value for _, value in measured.values]
    low, high = min(numbers), max(numbers)
    room = max((until - since).total_seconds(), 1.0)
    places = [
        (
            (at - since).total_seconds() / room * (WIDTH - 2 * MARGIN) + MARGIN,
            HEIGHT - MARGIN - (value - low) / ((high - low) or 1) * (HEIGHT - 2 * MARGIN),
        )
        for at, value in values
    ]
    if low == high:  # a steady value is a line in the middle
        places = [(x, HEIGHT / 2) for x, _ in places]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    told = f"{measured.name}: {shown(low)} to {shown(high)}, now {measured.last}"
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">'
        '<polyline points="{}"/><circle cx="{}" cy="{}" r="2"/></svg>',
        WIDTH, HEIGHT, WIDTH, HEIGHT, told, points, f"{places[-1][0]:.1f}", f"{places[-1][1]:.1f}",
    )  # fmt: skip


def shown(value: float) -> str:
    """A number as short as it is clear: ``0.25``, ``12.3``, ``4,096``, ``1.2e+12``."""
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    }


def _thinned(values: list[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
    """At most so many, of each stretch of time the highest, which is what people look for."""
    if len(values) <= MOST_POINTS:
        return values
    step = len(values) / (MOST_POINTS - 1)
    stretches = (values[int(n * step) : int((n + 1) * step)] for n in range(MOST_POINTS - 1))
    highest = [max(stretch, key=lambda pair: pair[1]) for stretch in stretches if stretch]
    return [*highest, values[-1]]
