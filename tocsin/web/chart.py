"""A metric over time as an SVG path, and results as bars. Values in, values out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from tocsin.checkers.models import CheckRun

WIDTH, HEIGHT = 1000, 160
_NAMES: Final = {"o": "ok", "w": "warning", "c": "critical", "u": "unknown"}
DURATION: Final = "duration_ms"


class Bar(msgspec.Struct):
    """A result."""

    x: float
    status: str


class Chart(msgspec.Struct):
    """A metric: its line, what is marked below it, and where its axes begin and end."""

    metric: str
    line: str
    marks: list[Bar]
    least: float
    most: float
    begin: datetime
    end: datetime


def bars(recent: str, room: int) -> list[Bar]:
    """The last results, the newest at the right end of so many places."""
    start = room - len(recent)
    return [Bar((start + place) * 5, _NAMES.get(each, "unknown")) for place, each in enumerate(recent)]


def metrics_of(runs: Sequence[CheckRun]) -> list[str]:
    """The metrics that some runs have, those of the newest first; how long it took is always one."""
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    return [*names, *([] if DURATION in names else [DURATION])]


def chart(runs: Sequence[CheckRun], metric: str) -> Chart | None:
    """A metric of some runs, oldest first; None where fewer than two have it."""
    values = [_value(run, metric) for run in runs]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    begin, end = runs[0].started_at, runs[-1].started_at
    least, most = _bounds(known)
    span = (end - begin).total_seconds() or 1.0
    places = [(run.started_at - begin).total_seconds() / span * WIDTH for run in runs]
    heights = [None if v is None else HEIGHT * (1 - (v - least) / (most - least)) for v in values]
    marks = [Bar(round(x, 1), run.status) for x, run in zip(places, runs, strict=True) if run.status != "ok"]
    return Chart(metric, _path(places, heights), marks, least, most, begin, end)


def _value(run: CheckRun, metric: str) -> float | None:
    found: float | None = run.metrics.get(metric)
    return run.duration_ms if found is None and metric == DURATION else found


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """From zero where that is not far off, so that small changes of large values can be seen."""
    least, most = min(values), max(values)
    if least >= 0 and least < most * 0.8:
        least = 0.0
    return (least, most) if least < most else (least - 1.0 if least else 0.0, most + 1.0)


def _path(places: Sequence[float], heights: Sequence[float | None]) -> str:
    """A line that breaks where a value is missing."""
    parts, drawn = [], False
    for x, y in zip(places, heights, strict=True):
        if y is not None:
            parts.append(f"{'L' if drawn else 'M'}{x:.1f} {y:.1f}")
        drawn = y is not None
    return " ".join(parts)
