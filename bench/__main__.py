"""``make bench``: Tocsin and, where it is installed, Alertmanager, row by row, in one run.

``python -m bench --only single,idle --repeat 3`` picks rows; ratios are of medians.
"""

import argparse
import statistics
from dataclasses import dataclass

from bench import load, rows, stored
from bench.peers import ALERTMANAGER, Alertmanager, Peer, Tocsin


@dataclass(frozen=True)
class Row:
    """One measurement, its unit, and the ratio to Alertmanager that must be reached."""

    key: str
    title: str
    unit: str
    measure: rows.Measure
    more_is_better: bool
    must: float
    aim: float


ROWS = (
    Row("single", "single distinct alerts", "alerts/s", rows.rate("single", 1), True, 1, 3),
    Row("batch", "distinct, 100 a post", "alerts/s", rows.rate("batch", 100), True, 2, 5),
    Row("resent", "re-sent, 64 a post", "alerts/s", rows.rate("resent", 64), True, 0.7, 1),
    Row("whole", "20,000 alerts to 20,000 webhooks", "s", rows.end_to_end, False, 2, 0.5),
    Row("idle", "idle, post to webhook, median", "ms", rows.idle_latency, False, 0, 0),
    Row("memory", "tree after 100,000 alerts", "MB", rows.memory, False, 0, 0),
)
ABSOLUTE = {"idle": (10, 3), "memory": (300, 180)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", default="", help="rows, comma-separated: " + ", ".join(r.key for r in ROWS))
    parser.add_argument("--repeat", type=int, default=1, help="runs of each row, each in fresh instances")
    options = parser.parse_args()
    only = set(filter(None, options.only.split(",")))
    print(f"load by {'wrk' if load.WRK else 'the bundled generator'}, {load.CONNECTIONS} connections")
    if not ALERTMANAGER:
        print("Alertmanager is not installed: no ratios")
    print(f"\n{'':36}{'Tocsin':>10} {'Alertmanager':>13} {'ratio':>7} {'must':>8} {'aim':>8}")
    for row in ROWS:
        if not only or row.key in only:
            _show(row, options.repeat)
    if not only or "full" in only:
        stored.show()


def _show(row: Row, repeat: int) -> None:
    ours, theirs = [], []
    for _ in range(repeat):
        ours.append(_measure(Tocsin, row))
        if ALERTMANAGER:
            theirs.append(_measure(Alertmanager, row))
    mine = statistics.median(ours)
    line = f"{row.title:<36}{mine:>10,.1f} "
    if theirs:
        peer = statistics.median(theirs)
        line += f"{peer:>13,.1f} {mine / peer:>6.2f}x "
    else:
        line += f"{'':>13} {'':>7} "
    must, aim = ABSOLUTE.get(row.key, (row.must, row.aim))
    mark = "" if row.key in ABSOLUTE else "x"
    sign = ">=" if row.more_is_better else "<="
    print(f"{line}{sign}{must:g}{mark} {sign}{aim:g}{mark}  ({row.unit})", flush=True)


def _measure(kind: type[Peer], row: Row) -> float:
    with kind() as peer:
        return row.measure(peer)


if __name__ == "__main__":
    main()
