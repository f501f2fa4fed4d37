"""What an alert costs in every part: ``python -m bench.costs``, on SQLite and on PostgreSQL.

Measured is processor time, which other load on the machine distorts little, and what is asked of the
database. ``--save`` writes ``bench/costs.json``, which the simulation reads; ``--markdown`` renews the
tables in ``docs/scaling.md`` from that file.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import django
import msgspec
from django.core.management import call_command

COSTS: Final = Path(__file__).with_name("costs.json")
FEW, MANY = 1, 200  # at a time: what a part costs at all, and what each more costs
ROUNDS: Final = {FEW: 200, MANY: 25}
WARM: Final = 3
Found = dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.costs", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--save", action="store_true", help=f"write {COSTS.name}")
    parser.add_argument(
        "--markdown", action="store_true", help="measure nothing; renew the tables of the page"
    )
    parser.add_argument("--only", default="", help="sqlite or postgresql")
    parser.add_argument("--repeat", type=int, default=3, help="the median of so many counts")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(_json(_measured()))
        return
    if options.markdown:
        from bench import tables

        tables.renew(read())
        return
    found = _found(options.only, options.repeat)
    if options.save:
        COSTS.write_text(_json({**read(), **found} if COSTS.exists() else found) + "\n")
    print(_json(found) if options.json else _table(found))


def read() -> Found:
    """What was measured and saved."""
    found: Found = msgspec.json.decode(COSTS.read_bytes())
    return found


def _json(found: Found) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode()


def _found(only: str, repeat: int) -> Found:
    from bench.meter import machine
    from tests.databases import postgres

    found: Found = {"machine": machine(), "measured": datetime.now(UTC).date().isoformat()}
    if only != "postgresql":
        found["sqlite"] = _middle([_apart("") for _ in range(repeat)])
    if only != "sqlite":
        with postgres() as url:
            found["postgresql"] = _middle([_apart(url) for _ in range(repeat)])
    return found


def _apart(url: str) -> Found:
    """Measure in a process of its own, as Django knows one database; an earlier round's rows are gone."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ, "DATABASE_URL": url, "TOCSIN_DATA_DIR": folder, "LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "tocsin.settings", "TOCSIN_OUTBOUND_ALLOW": "127.0.0.0/8",
        }  # fmt: skip
        command = [sys.executable, "-m", "bench.costs", "--here"]
        said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    found: Found = msgspec.json.decode(said)
    return found


def _middle(found: Sequence[Any]) -> Any:
    """The medians of values of one shape."""
    first = found[0]
    if isinstance(first, dict):
        return {key: _middle([one[key] for one in found]) for key in first}
    return median(found)


def _measured() -> Found:
    """Everything, on this process' database, which is emptied before and afterwards."""
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("flush", verbosity=0, interactive=False)
    from bench.meter import Meter, database
    from bench.parts import Parts
    from bench.peers import Sink
    from bench.posting import posts

    meter = Meter(database(os.environ["DATABASE_URL"]))
    with ExitStack() as stack:
        sink = Sink()
        stack.callback(sink.process.wait)
        stack.callback(sink.process.kill)
        parts = Parts(meter, sink.port)
        stack.callback(parts.close)
        for size, rounds in ROUNDS.items():
            _repeat(parts, meter, size, rounds)
        parts.pages()
        sizes = parts.sizes()
        parts.thin()
    return {"parts": meter.summary(), "posts": posts(meter.watched), "row_bytes": sizes}


def _repeat(parts: Any, meter: Any, size: int, rounds: int) -> None:
    meter.warming = True
    for _ in range(WARM):
        parts.way(size)
    meter.warming = False
    for _ in range(rounds):
        parts.way(size)
    meter.counting = True
    parts.way(size)
    meter.counting = False


def _table(found: Found) -> str:
    lines = [f"{found['machine']}, {found['measured']}"]
    for name in ("sqlite", "postgresql"):
        if name in found:
            lines += ["", *_lines(name, found[name])]
    return "\n".join(lines)


def _lines(name: str, found: Found) -> list[str]:
    head = (
        f"{name:30}{'at a time':>10}{'CPU µs':>9}{'db µs':>9}{'wait ms':>9}{'SQL':>6}{'rows':>6}{'log B':>8}"
    )
    lines = [head + "   each; waiting and statements of all together"]
    for part, sizes in found["parts"].items():
        for size, spent in sizes.items():
            lines.append(
                f"{part:30}{size:>10}{spent['cpu_us']:9.1f}{spent['db_us']:9.1f}{spent['wait_ms']:9.2f}"
                f"{spent['statements']:6.0f}{spent['rows']:6.1f}{spent['log_bytes']:8.0f}"
            )
    for kind, post in found["posts"].items():
        lines.append(f"a post, {kind}: " + ", ".join(f"{what} {value:,g}" for what, value in post.items()))
    return [*lines, "bytes a row: " + ", ".join(f"{t} {size}" for t, size in found["row_bytes"].items())]


if __name__ == "__main__":
    main()
