"""The tables of ``docs/scaling.md`` that are written from what was measured."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from bench.shard import Costs, Plant, Spent, costs
from bench.simulation import capacities

PAGE: Final = Path(__file__).parents[1] / "docs" / "scaling.md"
PARTS: Final = {
    "commit, new": "commit, a new alert: state and journal",
    "commit, end": "commit, its end",
    "commit, re-sent": "an alert that is sent again and changes nothing",
    "noting what was re-sent": "noting that it was heard of (not each time)",
    "decision, new incident": "correlation, a new incident",
    "decision, joins an incident": "correlation, joining one",
    "decision, end": "correlation, its end",
    "runs' start": "making the run",
    "their commit": "the commit of both",
    "four stages": "the run's four stages",
    "a message": "a delivery's row, besides",
    "sending a webhook": "sending a webhook",
    "writing an outcome": "writing what came of it",
    "a sweep that claims": "a sweep that claims deliveries",
    "letting a row go": "letting go of one old row",
    "page: incidents": "the page of incidents, for one reader",
    "page: one incident": "an incident's page",
}
POSTS: Final = {
    "single": ("a post of one alert, read", 1),
    "batch": ("a post of 100 new alerts, read, each", 100),
    "resent": ("a post of 64 re-sent alerts, read, each", 64),
}
_BASES: Final = ("sqlite", "postgresql")


def renew(found: dict[str, Any]) -> None:
    """Write the costs into the page."""
    head = (
        "part, for one alert", "SQLite: CPU µs", "alone", "PostgreSQL: CPU µs", "in the database µs", "alone",
        "log bytes", "statements", "rows",
    )  # fmt: skip
    rows = [*_posts(found), *_parts(found)]
    put("costs", f"{found['machine']}; {found['measured']}.\n\n{table(head, rows)}")
    put("sizes", _sizes(found))
    spent = costs(found["postgresql"])
    put("capacity", _capacity(spent))
    put("sizing", _sizing(spent, found["postgresql"]))


def put(name: str, text: str) -> None:
    """Replace a block of the page."""
    page = PAGE.read_text()
    start, end = f"<!-- {name}: written by bench -->", f"<!-- end of {name} -->"
    block = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.S)
    if not block.search(page):
        raise ValueError(f"{PAGE.name} has no block {name!r}")
    PAGE.write_text(block.sub(lambda _: f"{start}\n{text}\n{end}", page))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; its first column is words, the others are figures."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _posts(found: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    for kind, (told, alerts) in POSTS.items():
        light, heavy = (found[base]["posts"][kind]["loop_us"] / alerts for base in _BASES)
        yield told, _micro(light), "", _micro(heavy), "", "", "", ""


def _parts(found: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    for name, told in PARTS.items():
        light, heavy = (_of(found[base]["parts"], name, "200") for base in _BASES)
        alone, alone_there = (_of(found[base]["parts"], name, "1") for base in _BASES)
        each = 200 if alone is not light else 1
        yield (
            told, _micro(light["cpu_us"]), _micro(alone["cpu_us"]), _micro(heavy["cpu_us"]),
            _micro(heavy["db_us"]), _micro(alone_there["cpu_us"] + alone_there["db_us"]),
            f"{max(0.0, heavy['log_bytes']):,.0f}", f"{heavy['statements'] / each:.2g}",
            f"{light['rows']:.2g}",
        )  # fmt: skip


def _of(parts: dict[str, Any], name: str, size: str) -> dict[str, float]:
    """A part's costs with so many at a time, or as it was measured."""
    if name == "a message":
        more, less = parts["four stages and a delivery"][size], parts["four stages"][size]
        return {key: max(0.0, more[key] - less[key]) for key in more}
    sizes: dict[str, dict[str, float]] = parts[name]
    return sizes.get(size) or next(iter(sizes.values()))


def _micro(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _sizes(found: dict[str, Any]) -> str:
    light, heavy = (found[base]["row_bytes"] for base in _BASES)
    each = ", ".join(f"`{name}` {light[name]:,} and {heavy[name]:,}" for name in light)
    return f"{each} bytes."


def _capacity(spent: Costs) -> str:
    rates = sorted(capacities(spent, Plant()).items(), key=lambda item: item[1])
    return table(("part of one shard", "changes a second"), [(part, f"{rate:,.0f}") for part, rate in rates])


# Alerts a second, and how many of them change something.
SIZES: Final = ((10, 1.0), (300, 1.0), (3_000, 0.02), (16_667, 0.02), (16_667, 1.0))
POST_BYTES: Final = 282  # of an alert as Prometheus posts it
DAY: Final = 86_400
# Rows that an alert leaves that fires, is told of, ends, and whose end is told of.
LIFE: Final = {
    "Alert": 1, "AlertHistory": 2, "Incident": 1, "PipelineRun": 2, "StageExecution": 8, "Delivery": 2
}  # fmt: skip


def _sizing(spent: Costs, found: dict[str, Any]) -> str:
    head = (
        "alerts/s", "changes/s", "app cores", "database cores", "of one correlator", "log MB/s", "in Mbit/s",
        "kept GB/day", "rows/day",
    )  # fmt: skip
    return table(head, [_sized(rate, part, spent, found) for rate, part in SIZES])


def _sized(rate: float, part: float, spent: Costs, found: dict[str, Any]) -> tuple[str, ...]:
    changes = rate * part
    step = spent.commit + spent.decide + spent.walk + spent.finish + Spent(here=spent.send)
    again = spent.repeat + spent.note * Plant().noted
    here = changes * step.here.each + (rate - changes) * again.here.each
    here += rate * (spent.post / 64 + spent.read)
    there = changes * step.there.each + (rate - changes) * again.there.each
    decide = changes * (spent.decide.here.each + spent.decide.there.each)
    kept = sum(found["row_bytes"][name] * rows for name, rows in LIFE.items())
    lives = changes / 2 * DAY
    return (
        f"{rate:,}", f"{changes:,.0f}", _short(here), _short(there), f"{decide:.0%}",
        _short(_logged(changes, rate, found)), _short(rate * POST_BYTES * 8 / 1e6),
        _short(lives * kept / 1e9), f"{_short(lives * sum(LIFE.values()) / 1e6)} M",
    )  # fmt: skip


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _logged(changes: float, rate: float, found: dict[str, Any]) -> float:
    """Megabytes of log a second."""
    parts = found["parts"]

    def of(*names: str) -> float:
        return sum(float(parts[name]["200"]["log_bytes"]) for name in names)

    both = of("commit, new", "commit, end", "decision, new incident", "decision, end") / 2
    change = both + of("runs' start", "four stages and a delivery", "writing an outcome")
    noted = of("noting what was re-sent") * Plant().noted
    return (changes * change + (rate - changes) * noted) / 1e6
