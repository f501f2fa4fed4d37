"""The tables of ``docs/scaling.md`` that are written from what was measured."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

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
    "their commit": "the commit of decision and run",
    "four stages": "the run's four stages",
    "a message": "a delivery's row, besides",
    "sending a webhook": "sending a webhook",
    "writing an outcome": "writing what came of it",
    "a sweep that claims": "claiming a delivery that waited",
    "letting a row go": "letting go of one old row",
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
        "part, for one alert", "SQLite: CPU µs", "log bytes", "PostgreSQL: CPU µs", "in the database µs",
        "log bytes", "statements", "rows",
    )  # fmt: skip
    rows = [*_posts(found), *_parts(found)]
    told = f"{found['machine']}; {found['measured']}; 200 at a time, by `python -m bench.costs --save`."
    put("costs", f"{told}\n\n{table(head, rows)}")
    put("alone", table(("part, for one alert alone", *head[1:]), list(_parts(found, "1"))))
    put("sizes", _sizes(found))


def put(name: str, text: str) -> None:
    """Replace a block of the page."""
    page = PAGE.read_text()
    start, end = f"<!-- {name}: written by bench -->", f"<!-- end of {name} -->"
    block = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.S)
    if not block.search(page):
        raise ValueError(f"{PAGE.name} has no block {name!r}")
    PAGE.write_text(block.sub(lambda _: f"{start}\n\n{text}\n\n{end}", page))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; its first column is words, the others are figures."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _posts(found: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    for kind, (told, alerts) in POSTS.items():
        light, heavy = (found[base]["posts"][kind]["loop_us"] / alerts for base in _BASES)
        yield told, _micro(light), "", _micro(heavy), "", "", "", ""


def _parts(found: dict[str, Any], size: str = "200") -> Iterable[tuple[str, ...]]:
    for name, told in PARTS.items():
        spent = [_of(found[base]["parts"], name, size) for base in _BASES]
        if all(spent):
            light, heavy = spent
            each = 1 if size == "1" else 200
            statements = f"{heavy['statements'] / each:,.2g}" if heavy["statements"] else ""
            rows = f"{light['rows']:,.3g}" if light["rows"] else ""
            yield (
                told, _micro(light["cpu_us"]), _bytes(light), _micro(heavy["cpu_us"]), _micro(heavy["db_us"]),
                _bytes(heavy), statements, rows,
            )  # fmt: skip


def _of(parts: dict[str, Any], name: str, size: str) -> dict[str, float]:
    if name == "a message":
        more, less = parts["four stages and a delivery"][size], parts["four stages"][size]
        return {key: max(0.0, more[key] - less[key]) for key in more}
    sizes = parts[name]
    found: dict[str, float] = sizes.get(size) or (next(iter(sizes.values())) if size != "1" else {})
    return found


def _micro(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.05 else ""


def _bytes(spent: dict[str, float]) -> str:
    return f"{spent['log_bytes']:,.0f}" if spent["log_bytes"] > 0 else ""


def _sizes(found: dict[str, Any]) -> str:
    names = found["sqlite"]["row_bytes"]
    rows = [(name, *(f"{found[base]['row_bytes'][name]:,}" for base in _BASES)) for name in names]
    return table(("a row with its indexes", "SQLite, bytes", "PostgreSQL, bytes"), rows)
