"""A million alerts a minute, simulated: ``python -m bench.simulation``.

Shards of so many web processes, workers and one database are fed by senders that repeat themselves. What a
step takes is in ``bench/costs.json``. ``--check`` runs the real thing on this machine, as one shard and as
two, and prints it beside what the simulation says of the same; ``--markdown`` renews ``docs/scaling.md``.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Final

from bench import costs as measured
from bench.cluster import Cluster
from bench.model import Lags
from bench.scenarios import SCENARIOS, Scenario
from bench.shard import Costs, Plant, costs

COLUMNS: Final[tuple[str, ...]] = (
    "",
    "503",
    "told/s",
    "untold",
    "stored, s",
    "decided, s",
    "told, s",
    "busiest",
)

CHECKED: Final[tuple[str, ...]] = ("measured / simulated", "told/s", "p50, ms", "p99, ms", "CPU an alert, µs")


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(prog="bench.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="scenarios with this in their title")
    parser.add_argument("--check", action="store_true", help="beside the real thing on this machine")
    parser.add_argument("--seconds", type=float, default=20, help="of each load in a check")
    parser.add_argument("--markdown", action="store_true", help="renew the tables of docs/scaling.md")
    options = parser.parse_args()
    found = measured.read()
    if options.check:
        from bench import check

        head, rows = CHECKED, check.show(found, options.seconds)
    else:
        head, rows = COLUMNS, list(_rows(costs(found["postgresql"]), options.seed, options.only))
    if options.markdown:
        from bench import tables

        tables.put("check" if options.check else "simulation", tables.table(head, rows))


def _rows(spent: Costs, seed: int, only: str) -> Iterator[tuple[str, ...]]:
    print(f"what each part could do alone, changes a second: {_told(capacities(spent, Plant()))}\n")
    for scenario in SCENARIOS:
        if only in scenario.title:
            began = time.perf_counter()
            row = _row(scenario, scenario.run(spent, seed))
            print(" | ".join(row), f"({time.perf_counter() - began:.1f} s)", flush=True)
            yield row


def _row(scenario: Scenario, cluster: Cluster) -> tuple[str, ...]:
    shards, seconds = cluster.shards, cluster.simulation.now
    offered, refused = (sum(getattr(shard, name) for shard in shards) for name in ("offered", "refused"))
    told = sum(shard.told.count for shard in shards)
    worst = max(shards, key=lambda shard: shard.told.longest)
    part, busy = max(busiest(cluster).items(), key=lambda item: item[1])
    return (
        scenario.title,
        f"{refused / offered:.1%}",
        f"{told / seconds:,.0f}",
        f"{sum(shard.waiting for shard in shards):,}",
        *(_lag(lags) for lags in (worst.stored, worst.decided, worst.told)),
        f"{part}, {busy:.0%}",
    )


def _lag(lags: Lags) -> str:
    seconds = (lags.percentile(0.5), lags.percentile(0.99), lags.longest)
    return " / ".join(f"{second * 1e3:,.0f}" for second in seconds)


def busiest(cluster: Cluster) -> dict[str, float]:
    """By part, how busy the busiest of its kind is: 1 is always."""
    now = cluster.simulation.now
    found = {
        "web process": max(web.process.busy for shard in cluster.shards for web in shard.webs),
        "worker process": max(one.process.busy for shard in cluster.shards for one in shard.workers),
        "channel": max(one.sending for shard in cluster.shards for one in shard.workers),
        "correlation": max(shard.lock.busy for shard in cluster.shards),
    }
    found |= {host.name.split()[0] + "'s cores": host.busy / host.cores for host in cluster.hosts}
    return {part: seconds / now for part, seconds in found.items()}


def capacities(spent: Costs, plant: Plant, cores: float = 8) -> dict[str, float]:
    """Changes a second at which each part of a shard would be busy all the time, 64 a post. A thread that
    asks the database waits for it."""
    steps = spent.decide + spent.walk + spent.finish
    web = spent.post / 64 + spent.read + spent.commit.here.each
    return {
        "a worker": 1 / (steps.here.each + steps.there.each),
        "a channel, for each worker": plant.concurrency / plant.receiver,
        "correlation": 1 / (spent.decide.here.each + spent.decide.there.each),
        "a committer": 1 / (spent.commit.here.each + spent.commit.there.each),
        "a web process' core": 1 / web,
        f"{cores:g} cores for web and workers": cores / (web + steps.here.each + spent.send.each),
        f"{cores:g} cores for the database": cores / (spent.commit.there.each + steps.there.each),
    }


def _told(rates: dict[str, float]) -> str:
    return ", ".join(f"{part} {rate:,.0f}" for part, rate in sorted(rates.items(), key=lambda item: item[1]))


if __name__ == "__main__":
    main()
