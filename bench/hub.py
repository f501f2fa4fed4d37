"""A hub under its agents: ``python -m bench.hub --agents 5000 --minutes 2``.

Each agent pushes the results of ten checks every sixty seconds over a connection of its own, gzipped. In
each minute one in a hundred turns critical or recovers. Printed are the times of the answers, how long that
took until its webhook arrived, and what the steady rest cost: no row of the journal.
"""

import argparse
import asyncio
import gzip
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import quantiles

import msgspec
import uvloop

from bench.peers import Tocsin

INTERVAL = 60.0
CHECKS = ("cpu", "memory", "disk", "load", "swap", "process", "network", "temperature", "raid", "systemd")
CHANGING = 0.01  # of the agents, each minute
WARM_SECONDS = 60.0  # the first round of each makes its rows
_encode = msgspec.json.Encoder().encode


class Hub(Tocsin):
    """An installation that takes pushes."""

    def settings(self) -> dict[str, str]:
        return {"CLUSTER_ENABLED": "1"}


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


class Agent:
    """One machine; what its checks find, and since when."""

    def __init__(self, number: int) -> None:
        self.name = f"web-{number}"
        self.round = 0
        self.since = time.time()
        self.critical = False

    def body(self, turn: bool) -> bytes:
        """The next push; with ``turn`` its first check changes."""
        now = time.time()
        self.round += 1
        if turn:
            self.critical, self.since = not self.critical, now
        push = {
            "source": "cluster", "instance_id": self.name, "hostname": self.name, "version": "1.0",
            "spool": self.name, "batch_id": f"{self.name}:{self.round}-{self.round}",
            "sent_at": _stamp(now), "interval": int(INTERVAL), "agent": {"version": "bench"},
            "alerts": list(self._alerts(now)),
        }  # fmt: skip
        return gzip.compress(_encode(push), 1)

    def _alerts(self, now: float) -> Iterator[dict[str, object]]:
        for check in CHECKS:
            bad = self.critical and check == CHECKS[0]
            since = _stamp(self.since if check == CHECKS[0] else 1_795_000_000)
            yield {
                "fingerprint": f"{check}-{self.name}", "name": check,
                "status": "firing" if bad else "resolved", "severity": "critical" if bad else "info",
                "started_at": since if bad else None, "ended_at": None if bad else since,
                "labels": {"checker": check, "hostname": self.name},
                "annotations": {"message": f"{random.random():.3f} used"},
                "metrics": {"used_percent": random.random() * 100},
                "seq": self.round, "checked_at": _stamp(now), "check_status": "critical" if bad else "ok",
            }  # fmt: skip


class Measured:
    """What the agents saw."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.refused = 0
        self.changes = 0


async def _push(agent: Agent, port: int, until: float, began: float, measured: Measured) -> None:
    await asyncio.sleep(random.random() * INTERVAL)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (start := time.time()) < until:
        warm = start - began >= WARM_SECONDS
        turn = warm and random.random() < CHANGING
        body = agent.body(turn)
        head = (
            "POST /alerts/webhook/cluster/ HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
            f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        asked = time.perf_counter()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        if warm:
            measured.seconds.append(time.perf_counter() - asked)
            measured.changes += turn
        measured.refused += not answer.startswith(b"HTTP/1.1 202")
        await asyncio.sleep(max(0.0, start + INTERVAL - time.time()))
    writer.close()


async def _all(count: int, port: int, until: float, began: float) -> Measured:
    measured = Measured()
    agents = (Agent(number) for number in range(count))
    await asyncio.gather(*(_push(agent, port, until, began, measured) for agent in agents))
    return measured


# From the change that a message tells of, the last before it, to its arrival.
_LAG = """
    SELECT COALESCE(MAX(took), 0) FROM (
        SELECT CAST(MIN(julianday(d.sent_at) - julianday(h.received_at)) * 86400000 AS INTEGER) AS took
        FROM notify_delivery d JOIN alerts_alerthistory h
        ON h.incident_id = d.incident_id AND h.received_at <= d.created_at GROUP BY d.id)"""
_JOURNAL = "SELECT COUNT(*) FROM alerts_alerthistory WHERE decision"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.hub", description=__doc__)
    parser.add_argument("--agents", type=int, default=5_000)
    parser.add_argument("--minutes", type=float, default=3, help="the first of them is to get warm")
    options = parser.parse_args()
    with Hub() as hub:
        began = time.time()
        until = began + options.minutes * 60
        measured = uvloop.run(_all(options.agents, hub.port, until, began))
        if measured.changes:
            hub.sink.wait_for(measured.changes, 30)
        time.sleep(2)
        _print(hub, options.agents, measured)


def _print(hub: Hub, agents: int, measured: Measured) -> None:
    cuts = quantiles(measured.seconds, n=100)
    worst = max(measured.seconds)
    print(f"{agents} agents, {len(measured.seconds)} pushes measured, {measured.refused} refused")
    print(f"answers: median {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms, worst {worst * 1e3:.0f} ms")
    print(f"changes {measured.changes}, from intake to webhook {hub.count(_LAG)} ms at the longest")
    changed, ignored = hub.count(f"{_JOURNAL} <> 'ignored'"), hub.count(f"{_JOURNAL} = 'ignored'")
    print(f"journal: {changed} changes, {ignored} ends without a beginning (each check's first)")
    instances, runs = (
        hub.count(f"SELECT COUNT(*) FROM {t}") for t in ("fleet_instance", "checkers_checkrun")
    )
    print(f"instances {instances}, check runs kept {runs}, memory {hub.memory_mb():.0f} MB")


if __name__ == "__main__":
    main()
