"""The simulation beside the real thing: one and two installations on this machine, each with a PostgreSQL
of its own, and senders that choose among them by a hash of the group.

What the cores do besides (the senders, the receiver, others) is measured, and taken from the simulated ones.
"""

import http.client
import json
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psutil

from bench import load
from bench.cluster import Cluster, Machines, Traffic, shard_of
from bench.peers import Sink
from bench.shard import Plant, Posts, Shard, costs
from bench.workers import Bench
from tests.databases import postgres

STORM: Final = 6_000  # alerts to each shard, as fast as one sender gets rid of them
STORM_POST: Final = 64
STEADY: Final = 40.0  # posts a second to each shard, an alert each
RECEIVER: Final = 0.001  # seconds on loopback
_LAGS: Final = """
    SELECT EXTRACT(EPOCH FROM d.sent_at - h.received_at), EXTRACT(EPOCH FROM h.received_at),
        EXTRACT(EPOCH FROM d.sent_at)
    FROM notify_delivery d JOIN alerts_alerthistory h ON h.incident_id = d.incident_id
    WHERE d.state = 'sent' AND d.trace_id = h.trace_id AND h.received_at >= to_timestamp(%s)"""
Body = list[dict[str, Any]]


@dataclass(frozen=True)
class Result:
    """What came of one load."""

    told_per_second: float
    median: float  # seconds from post to message
    p99: float
    cpu: float  # seconds of all processes, database included, for each alert
    beside: float = 0.0  # cores that others had meanwhile


def show(found: dict[str, Any], seconds: float) -> list[tuple[str, ...]]:
    """Measure, simulate, print; the rows of the page's table."""
    print(f"{'':48}{'measured':>32}{'simulated':>32}")
    print(f"{'':48}" + f"{'told/s':>8}{'p50 ms':>8}{'p99 ms':>8}{'CPU µs':>8}" * 2)
    rows = []
    for shards in (1, 2):
        with _installations(shards) as real:
            measured = _steady(real, seconds)
            rows.append(
                _line(shards, "steady", measured, _simulated_steady(found, shards, seconds, measured))
            )
            measured = _storm(real)
            rows.append(_line(shards, "storm", measured, _simulated_storm(found, shards, measured)))
    return rows


def _line(shards: int, load: str, measured: Result, simulated: Result) -> tuple[str, ...]:
    title = f"shards: {shards}, {load} ({measured.beside:.1f} cores busy beside)"
    print(f"{title:48}{_told(measured)}{_told(simulated)}", flush=True)
    pairs = zip(_told(measured).split(), _told(simulated).split(), strict=True)
    return title, *(" / ".join(pair) for pair in pairs)


def _told(result: Result) -> str:
    lags = f"{result.median * 1e3:8,.0f}{result.p99 * 1e3:8,.0f}"
    return f"{result.told_per_second:8,.0f}{lags}{result.cpu * 1e6:8,.0f}"


@contextmanager
def _installations(count: int) -> Iterator["list[Installation]"]:
    with ExitStack() as stack:
        yield [Installation(stack) for _ in range(count)]


class Installation:
    """A web process, a worker, a PostgreSQL and a receiver."""

    def __init__(self, stack: ExitStack) -> None:
        self.sink = Sink()
        stack.callback(self.sink.process.wait)
        stack.callback(self.sink.process.kill)
        self._bench = stack.enter_context(Bench(stack.enter_context(postgres()), 1))
        self._bench.add_webhook(f"http://127.0.0.1:{self.sink.port}/")
        self._bench.share(stack.enter_context(tempfile.TemporaryDirectory()))
        self._bench.start()
        self.port = self._bench.port

    def told_since(self, began: float, count: int) -> list[tuple[float, float, float]]:
        """Of all alerts since then: how long each took, when it came, when it was told. Waits until so many
        are."""
        sql = _LAGS % began
        self._bench.wait(lambda: len(self._bench.query(sql)) >= count, "all to be told", 180)
        return [(float(took), float(came), float(told)) for took, came, told in self._bench.query(sql)]


def _steady(real: list[Installation], seconds: float) -> Result:
    def sender(installation: Installation, alerts: Iterator[dict[str, Any]]) -> int:
        until, at, sent = time.monotonic() + seconds, time.monotonic(), 0
        connection = http.client.HTTPConnection("127.0.0.1", installation.port)
        while (at := at + random.expovariate(STEADY)) < until:
            time.sleep(max(0.0, at - time.monotonic()))
            load.post(connection, [next(alerts)])
            sent += 1
        connection.close()
        return sent

    return _measured(real, sender)


def _storm(real: list[Installation]) -> Result:
    def sender(installation: Installation, alerts: Iterator[dict[str, Any]]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", installation.port)
        for start in range(0, STORM, STORM_POST):
            load.post(connection, [next(alerts) for _ in range(min(STORM_POST, STORM - start))])
        connection.close()
        return STORM

    return _measured(real, sender)


def _measured(
    real: list[Installation], sender: Callable[[Installation, Iterator[dict[str, Any]]], int]
) -> Result:
    sent = [0] * len(real)

    def send(number: int) -> None:
        sent[number] = sender(real[number], _alerts(number, len(real)))

    began, idle, ours = time.time(), _idle(), _ours(real)
    threads = [threading.Thread(target=send, args=(number,)) for number in range(len(real))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = [one.told_since(began, count) for one, count in zip(real, sent, strict=True)]
    took, spent = time.time() - began, _ours(real) - ours
    beside = max(0.0, (os.cpu_count() or 1) - (spent + _idle() - idle) / took)
    return _result([row for some in rows for row in some], spent / sum(sent), beside)


def _alerts(shard: int, shards: int) -> Iterator[dict[str, Any]]:
    """Distinct alerts of the groups that are hashed to a shard."""
    mark = time.time_ns()
    number = 0
    while True:
        name = f"check-{mark}-{number}"
        number += 1
        if shard_of(json.dumps(["DiskFull", name]), shards) == shard:
            yield load.alert(name)


def _ours(real: list[Installation]) -> float:
    """Processor seconds of all that belongs to the installations."""
    sinks = {one.sink.process.pid for one in real}
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        if process.pid not in sinks:
            try:
                total += sum(process.cpu_times()[:4])  # its own, and that of children that ended
            except psutil.NoSuchProcess:
                continue
    return total


def _idle() -> float:
    times = psutil.cpu_times()
    return float(times.idle + times.iowait)


def _result(rows: list[tuple[float, float, float]], cpu: float, beside: float) -> Result:
    lags = [row[0] for row in rows]
    span = max(row[2] for row in rows) - min(row[1] for row in rows)
    cuts = statistics.quantiles(lags, n=100)
    return Result(len(rows) / span, cuts[49], cuts[98], cpu, beside)


def _cluster(found: dict[str, Any], shards: int, rate: float, measured: Result) -> Cluster:
    cores = max(0.2, (os.cpu_count() or 1) - measured.beside)
    plant = Plant(workers=1, receiver=RECEIVER)
    traffic = Traffic(rate, changing=1.0, per_post=1)
    spent = costs(found["postgresql"], ends=0.0)
    return Cluster(shards, spent, plant, Machines(app=cores, shared=True), traffic)


def _simulated_steady(found: dict[str, Any], shards: int, seconds: float, measured: Result) -> Result:
    cluster = _cluster(found, shards, STEADY * shards, measured)
    cluster.run(seconds, rest=5)
    return _simulated(cluster, seconds)


def _simulated_storm(found: dict[str, Any], shards: int, measured: Result) -> Result:
    cluster = _cluster(found, shards, 0.0, measured)
    for shard in cluster.shards:
        Sender(shard).next()
    while any(shard.told.count < STORM for shard in cluster.shards):
        cluster.simulation.run(cluster.simulation.now + 0.05)
    return _simulated(cluster, cluster.simulation.now)


class Sender:
    """Posts one after the other, each once the one before was answered."""

    def __init__(self, shard: Shard) -> None:
        self._shard, self._left, self._keep = shard, STORM, shard.keep
        shard.keep = self._kept  # type: ignore[method-assign]

    def next(self) -> None:
        """Send one."""
        size = min(STORM_POST, self._left)
        self._left -= size
        if size:
            self._shard.offer(Posts(self._shard.simulation.now, 1, size, 0))

    def _kept(self, group: Any) -> None:
        self._keep(group)
        self.next()


def _simulated(cluster: Cluster, seconds: float) -> Result:
    told = sum(shard.told.count for shard in cluster.shards)
    busy = sum(host.busy for host in cluster.hosts)
    lags = [[shard.told.percentile(part) for shard in cluster.shards] for part in (0.5, 0.99)]
    return Result(told / seconds, statistics.mean(lags[0]), max(lags[1]), busy / told)
