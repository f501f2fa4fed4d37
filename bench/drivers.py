"""How fast the drivers are beside Alertmanager's: reading alone, and the whole way in, to the disk.

``python -m bench.drivers`` measures all of them, ``python -m bench.drivers zabbix grafana`` those. Each
post holds one new alert, from a driver's recorded payloads in turn, so that posts are alerts. A driver
and Alertmanager's take turns; figures are medians. Without wrk only the reading is measured.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Final

from bench.load import WRK
from bench.recorded import Post, posts
from bench.way_in import Web
from tocsin.alerts.drivers import drivers

BASELINE: Final = "alertmanager"
READ_SECONDS: Final = 0.05
Rate = Callable[[str, list[Post]], float]


def read(name: str, sent: list[Post]) -> float:
    """Posts read a second."""
    parse, bodies = drivers.get(name)().parse, [post.body for post in sent]
    done, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < READ_SECONDS:
        for body in bodies:
            parse(body)
        done += len(bodies)
    return done / taken


def beside(name: str, rate: Rate, rounds: int) -> tuple[float, float]:
    """A driver's posts a second, and how many of the baseline's that is."""
    ours, theirs = posts(name), posts(BASELINE)
    pairs = [(rate(name, ours), rate(BASELINE, theirs)) for _ in range(rounds)]
    ratio = statistics.median(mine / other for mine, other in pairs)
    return statistics.median(mine for mine, _ in pairs), ratio


def way_in(name: str, rounds: int) -> tuple[float, float, float]:
    """The same of the whole way in; and the ratio of the processor's time, which other load distorts less."""
    with Web() as web:
        rate, ratio = beside(name, web.rate, rounds)
        cost = {of: statistics.median(seconds) for of, seconds in web.cpu.items()}
    return rate, ratio, cost[BASELINE] / cost[name]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.drivers", description=__doc__)
    parser.add_argument("names", nargs="*", help="drivers; all without any")
    parser.add_argument("--rounds", type=int, default=5, help="of each, in turns with Alertmanager's")
    parser.add_argument("--read", action="store_true", help="measure the reading alone")
    options = parser.parse_args()
    print(f"{'driver':16}{'read/s':>10}{'ratio':>8}{'way in/s':>12}{'ratio':>8}{'by CPU':>8}")
    for name in options.names or drivers.names():
        rate, ratio = beside(name, read, options.rounds)
        line = f"{name:16}{rate:10,.0f}{ratio:7.2f}×"
        if WRK and not options.read:
            rate, ratio, by_cpu = way_in(name, options.rounds)
            line += f"{rate:12,.0f}{ratio:7.2f}×{by_cpu:7.2f}×"
        told = "" if all(post.is_new for post in posts(name)) else "  (no alert to vary: posted as recorded)"
        print(line + told, flush=True)


if __name__ == "__main__":
    main()
