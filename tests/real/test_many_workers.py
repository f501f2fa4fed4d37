"""Two workers and two web processes, each with a data directory of its own, on one database."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.checkers.servers import redis
from tests.databases import mariadb, postgres
from tests.fakes.receiver import Receiver
from tests.faults.test_kill import UNDONE
from tests.ledger import alert
from tests.machines import Machine, Machines

pytestmark = pytest.mark.real

INCIDENTS = 40
ENDED = {"endsAt": "2026-01-01T00:00:00Z"}


@contextmanager
def with_redis(folder: Path) -> Iterator[str]:
    with redis(folder) as port:
        yield f"redis://127.0.0.1:{port}"


@contextmanager
def without_redis(folder: Path) -> Iterator[str]:
    yield ""


@pytest.mark.parametrize(
    ("database", "bell"), [(postgres, with_redis), (mariadb, without_redis)], ids=["postgres", "mariadb"]
)
def test_the_main_job(
    database: Callable[[], AbstractContextManager[str]],
    bell: Callable[[Path], AbstractContextManager[str]],
    receiver: Receiver,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with (
        database() as url,
        bell(tmp_path) as redis_url,
        Machines(url, webs=2, workers=2, REDIS_URL=redis_url) as tocsin,
    ):
        _prepare(tocsin)
        tocsin.add_webhook(receiver.url)
        tocsin.start()
        whole = [_seconds(tocsin, receiver, f"idle-{number}") for number in range(15)]
        with capsys.disabled():
            sys.stdout.write(f"\nfrom post to message, median: {statistics.median(whole) * 1e3:.0f} ms\n")
        for number in range(INCIDENTS):
            assert tocsin.post([alert(f"host-{number}"), _disk(number, "sda"), _disk(number, "sdb")]) == 200
            assert tocsin.post([_disk(number, "sdb", **ENDED)]) == 200
            assert tocsin.post([_disk(number, "sda", **ENDED), alert(f"host-{number}") | ENDED]) == 200
        tocsin.wait(lambda: not any(tocsin.query(sql) for sql in UNDONE), "all work to be done")
        _check(tocsin, receiver)


def _prepare(tocsin: Machines) -> None:
    """As when several machines are started at once: one after the other."""
    preparing = [Machine("prepare", tocsin.environment) for _ in range(2)]
    for machine in preparing:
        assert machine.wait() == 0, machine.said
        machine.remove()


def _disk(number: int, device: str, **fields: str) -> dict[str, Any]:
    labels = {"alertname": "DiskFull", "instance": f"host-{number}", "device": device}
    return {"labels": labels, "endsAt": "2040-01-01T00:00:00Z", **fields}


def _seconds(tocsin: Machines, receiver: Receiver, name: str) -> float:
    before, began = len(receiver.received), time.monotonic()
    assert tocsin.post([alert(name)]) == 200
    while len(receiver.received) == before:
        assert time.monotonic() - began < 10
        time.sleep(0.001)
    took = time.monotonic() - began
    time.sleep(0.03)
    return took


def _check(tocsin: Machines, receiver: Receiver) -> None:
    """Each incident once, each message once. Their order is ``tests/orchestration/test_order.py``'s."""
    incidents = tocsin.query("SELECT title, total, firing FROM alerts_incident WHERE title LIKE '%host-%'")
    assert len({title for title, _, _ in incidents}) == len(incidents) == 2 * INCIDENTS
    assert {firing for _, _, firing in incidents} == {0}
    assert sum(total for _, total, _ in incidents) == 3 * INCIDENTS
    messages: dict[str, list[str]] = {}
    for request in receiver.received:
        messages.setdefault(request.json["title"], []).append(request.json["kind"])
    told = {title: kinds for title, kinds in messages.items() if "host-" in title}
    assert told.keys() == {title for title, _, _ in incidents}
    for title, kinds in told.items():
        alerts = 2 if title.startswith("DiskFull") else 1  # heard of together or one by one
        assert kinds.count("resolved") == 1 and 1 <= kinds.count("firing") <= alerts, (title, kinds)
    keys = [request.headers["idempotency-key"] for request in receiver.received]
    assert len(set(keys)) == len(keys)
    assert tocsin.query("SELECT COUNT(*) FROM notify_delivery WHERE state = 'sent'") == [(len(keys),)]
    assert all(machine.alive for machine in (*tocsin.webs, *tocsin.workers))
