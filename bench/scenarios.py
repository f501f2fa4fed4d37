"""What the simulation is asked: a size, a traffic, and what goes wrong."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.cluster import Burst, Cluster, Machines, Traffic
from bench.shard import Costs, Plant

MILLION = 1_000_000 / 60  # alerts a second
RESENT = Traffic(rate=MILLION, changing=0.02)


@dataclass(frozen=True)
class Scenario:
    """One question."""

    title: str
    shards: int
    traffic: Traffic
    plant: Plant = Plant()
    machines: Machines = Machines()
    seconds: float = 60
    rest: float = 0
    fault: Callable[[Cluster], None] | None = None

    def run(self, costs: Costs, seed: int = 1) -> Cluster:
        """Let it happen."""
        cluster = Cluster(self.shards, costs, self.plant, self.machines, self.traffic, seed)
        if self.fault:
            self.fault(cluster)
        cluster.run(self.seconds, self.rest)
        return cluster


def _database_restarts(cluster: Cluster) -> None:
    cluster.at(20, lambda: cluster.shards[0].base.stop(30))


def _worker_dies(cluster: Cluster) -> None:
    cluster.at(20, lambda: cluster.shards[0].workers[0].die())


_ONE = Scenario("", 1, RESENT)
_EIGHT = Scenario("", 8, RESENT, plant=Plant(webs=2))

SCENARIOS = (
    replace(_ONE, title="1 shard, 10/s, all of them changes", traffic=Traffic(10, 1, per_post=1)),
    replace(_ONE, title="1 shard, 300/s, all of them changes", traffic=Traffic(300, 1, per_post=4)),
    replace(_ONE, title="1 shard, 3,000/s, 2 % change", traffic=Traffic(3_000, 0.02)),
    replace(_ONE, title="1 shard, 3,000/s, all change", traffic=Traffic(3_000, 1), seconds=30),
    replace(_ONE, title="1 shard, 1M/min, 2 % change", plant=Plant(webs=3), seconds=30),
    replace(_EIGHT, title="8 shards, 1M/min, 2 % change", seconds=30),
    replace(_EIGHT, title="8 shards, 1M/min, all change", traffic=Traffic(MILLION, 1), seconds=15),
    replace(
        _EIGHT, shards=16, title="16 shards, 1M/min, all change", traffic=Traffic(MILLION, 1), seconds=15
    ),
    replace(
        _EIGHT,
        title="8 shards, 1M/min, burst of ×10 for 60 s",
        traffic=replace(RESENT, burst=Burst(10, 70, times=10, changing=0.02)),
        seconds=80,
        rest=40,
    ),
    replace(
        _EIGHT,
        title="8 shards, 1M/min, a million more changes in 60 s",
        traffic=replace(RESENT, burst=Burst(10, 70, times=2, changing=0.51)),
        seconds=80,
        rest=100,
    ),
    replace(
        _EIGHT,
        title="8 shards, 1M/min, groups by Zipf's law",
        traffic=replace(RESENT, skew=1.0),
        seconds=30,
    ),
    replace(
        _EIGHT,
        title="8 shards, 1M/min, a database away for 30 s",
        seconds=80,
        rest=20,
        fault=_database_restarts,
    ),
    replace(
        _EIGHT, title="8 shards, 1M/min, a worker's machine dies", seconds=60, rest=45, fault=_worker_dies
    ),
)
