"""Shards side by side in the simulation, and the traffic that is spread over them by a hash of the group."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Final

from bench.model import Host, Simulation
from bench.shard import Costs, Plant, Posts, Shard

TICK: Final = 0.01  # seconds, in which what arrives arrives at once
GROUPS: Final = 10_000


@dataclass(frozen=True)
class Traffic:
    """What senders post: so many alerts a second, of which a part changes something."""

    rate: float
    changing: float
    per_post: int = 64
    skew: float = 0.0  # of Zipf's law over the groups; 0: all alike
    burst: "Burst | None" = None

    def at(self, now: float) -> tuple[float, float]:
        """Alerts a second at a time, and which part of them changes something."""
        if self.burst and self.burst.begins <= now < self.burst.ends:
            return self.rate * self.burst.times, self.burst.changing
        return self.rate, self.changing


@dataclass(frozen=True)
class Burst:
    """From one second to another: so many times as much, of which a part changes something."""

    begins: float
    ends: float
    times: float
    changing: float


@dataclass(frozen=True)
class Machines:
    """Cores of each shard: for its own processes, and for its database. ``shared``: all shards have these
    cores together, as where one machine runs everything."""

    app: float = 8
    base: float = 8
    shared: bool = False


class Cluster:
    """So many shards, and what comes in."""

    def __init__(
        self, shards: int, costs: Costs, plant: Plant, machines: Machines, traffic: Traffic, seed: int = 1
    ) -> None:
        self.simulation, self._random, self.traffic = Simulation(), Random(seed), traffic
        self.hosts: list[Host] = []
        self.shards = [self._shard(n, costs, plant, machines) for n in range(shards)]
        self.shares = shares(shards, traffic.skew)

    def _shard(self, number: int, costs: Costs, plant: Plant, machines: Machines) -> Shard:
        if not machines.shared or not self.hosts:
            self.hosts.append(Host(self.simulation, f"app {number}", machines.app))
            if not machines.shared:
                self.hosts.append(Host(self.simulation, f"database {number}", machines.base))
        app, base = (self.hosts[0],) * 2 if machines.shared else self.hosts[-2:]
        return Shard(self.simulation, costs, plant, app, base, self._random)

    def run(self, seconds: float, rest: float = 0.0) -> None:
        """Let it come in for so long, then let them work off what waits for so long."""
        self._arrive(seconds)
        self.simulation.run(seconds + rest)
        for shard in self.shards:
            for queue in (shard.journal, shard.due, shard.runs):
                queue.settle()

    def _arrive(self, until: float) -> None:
        now = self.simulation.now
        rate, changing = self.traffic.at(now)
        for shard, share in zip(self.shards, self.shares, strict=True):
            self._offer(shard, rate * share * TICK, changing)
        if now + TICK < until:
            self.simulation.after(TICK, lambda: self._arrive(until))

    def _offer(self, shard: Shard, expected: float, changing: float) -> None:
        posts = poisson(self._random, expected / self.traffic.per_post)
        if not posts:
            return
        alerts = posts * self.traffic.per_post
        changes = alerts if changing >= 1 else min(alerts, poisson(self._random, alerts * changing))
        shard.offer(Posts(self.simulation.now, posts, changes, alerts - changes))

    def at(self, seconds: float, then: Callable[[], None]) -> None:
        """Have something happen to it."""
        self.simulation.after(seconds, then)


def poisson(random: Random, expected: float) -> int:
    """How many come where so many are expected."""
    if expected > 50:
        return max(0, round(random.gauss(expected, math.sqrt(expected))))
    limit, product, number = math.exp(-expected), random.random(), 0
    while product > limit:
        product *= random.random()
        number += 1
    return number


@cache
def shares(shards: int, skew: float) -> Sequence[float]:
    """What part of the alerts each shard gets, as groups are hashed: the first of them is the hottest."""
    weights = [0.0] * shards
    for rank in range(1, GROUPS + 1):
        weights[shard_of(f"group {rank}", shards)] += rank**-skew
    return (
        sorted((weight / sum(weights) for weight in weights), reverse=True) if skew else [1 / shards] * shards
    )


def shard_of(group: str, shards: int) -> int:
    """The shard of a group's key."""
    return int.from_bytes(hashlib.blake2b(group.encode(), digest_size=8).digest()) % shards
