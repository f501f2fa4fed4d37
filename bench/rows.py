"""The rows of the table: each measures one peer, and checks that nothing it accepted is missing."""

import http.client
import statistics
import time
from collections.abc import Callable

from bench import load
from bench.peers import Peer, Tocsin

SECONDS = 8
Measure = Callable[[Peer], float]


def rate(kind: str, alerts_per_post: int) -> Measure:
    """Alerts a second under load, everything running."""

    def measure(peer: Peer) -> float:
        before = peer.stored() if isinstance(peer, Tocsin) else 0
        per_second, accepted = load.run(kind, peer.port, SECONDS)
        if isinstance(peer, Tocsin):
            stored, expected = peer.stored() - before, 640 if kind == "resent" else accepted * alerts_per_post
            if stored < expected:
                raise AssertionError(f"{expected} alerts were accepted and {stored} are stored")
        return per_second * alerts_per_post

    return measure


def end_to_end(peer: Peer, count: int = 20_000) -> float:
    """Seconds until so many distinct alerts have arrived at the receiver, each in a webhook of its own."""
    began = time.time()
    load.post_all(peer.port, count, 64, lambda i: f"whole-way-{i}")
    took = peer.sink.wait_for(count, 180) - began
    if isinstance(peer, Tocsin):
        time.sleep(1)
        _check_rows(peer, count)
    return took


def _check_rows(peer: Tocsin, count: int) -> None:
    for table in ("alerts_alert", "alerts_incident", "orchestration_pipelinerun", "notify_delivery"):
        found = peer.count(f"SELECT COUNT(*) FROM {table}")
        if found < count:
            raise AssertionError(f"{found} rows in {table} for {count} alerts")
    sent = peer.count("SELECT COUNT(*) FROM notify_delivery WHERE state = 'sent'")
    if sent < count or peer.sink.seen()[0] != sent:
        raise AssertionError(f"{sent} deliveries are sent, {peer.sink.seen()[0]} webhooks came")


def idle_latency(peer: Peer, posts: int = 41) -> float:
    """Milliseconds from post to webhook, nothing else going on: the median."""
    connection, took = http.client.HTTPConnection("127.0.0.1", peer.port), []
    for number in range(posts):
        expected = peer.sink.seen()[1] + 1
        began = time.time()
        load.post(connection, [load.alert(f"idle-{number}")])
        while peer.sink.seen()[1] < expected:
            time.sleep(0.0005)
        took.append((peer.sink.seen()[2] - began) * 1000)
        time.sleep(0.1)
    return statistics.median(took)


def memory(peer: Peer, count: int = 100_000) -> float:
    """Megabytes of the whole tree after so many distinct alerts, all of them notified."""
    load.post_all(peer.port, count, 100, lambda i: f"memory-{i}")
    peer.sink.wait_for(count, 600)
    return peer.memory_mb()


def cost_when_full(peer: Peer) -> float:
    """Microseconds that one more alert costs."""
    began = time.perf_counter()
    mark = time.time_ns()
    load.post_all(peer.port, 5_000, 1, lambda i: f"more-{mark}-{i}")
    return (time.perf_counter() - began) / 5_000 * 1e6
