"""A bad minute: two web and two worker machines on one PostgreSQL with Redis, under load, while everything
around them fails. One worker is frozen past its leases, and woken at the end."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checkers.servers import listens
from tests.databases import Server, mariadb_server, postgres_server
from tests.fakes.receiver import Receiver
from tests.faults.test_kill import UNDONE
from tests.installed import require
from tests.ledger import Ledger, Load, alert
from tests.machines import Machines
from tests.processes import free_port

pytestmark = pytest.mark.faults

FROZEN_SECONDS = 62  # longer than the lease of a delivery


class Redis:
    """One that can be stopped."""

    def __init__(self, folder: Path) -> None:
        self.port, self._folder = free_port(), folder
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--dir", str(self._folder), "--save", ""]
        command = [require("redis-server"), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not listens(self.port):
            time.sleep(0.01)

    def flush(self) -> None:
        subprocess.run(["redis-cli", "-p", str(self.port), "FLUSHALL"], check=True, capture_output=True)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def _troubles(tocsin: Machines, database: Server, redis: Redis) -> list[tuple[float, Callable[[], None]]]:
    """What happens, and how many seconds after the freeze."""
    frozen, other = tocsin.workers
    return [
        (0, frozen.freeze),
        (4, other.kill),
        (8, redis.flush),
        (10, redis.stop),
        (14, other.kill),
        (18, redis.start),
        (22, database.crash),
        (30, tocsin.webs[0].kill),
        (36, other.kill),
        (42, database.crash),
        (FROZEN_SECONDS, frozen.thaw),
    ]


CRASHES = 1 + 3 + 2 + 1  # frozen worker, killed worker, database, web


def test_a_bad_minute_loses_nothing(
    tmp_path: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    redis = Redis(tmp_path)
    try:
        with (
            postgres_server() as database,
            Machines(database.url, webs=2, workers=2, REDIS_URL=f"redis://127.0.0.1:{redis.port}") as tocsin,
        ):
            tocsin.add_webhook(receiver.url)
            tocsin.start()
            with Load(tocsin, threads=2) as load:
                time.sleep(2)
                began = time.monotonic()
                for at, trouble in _troubles(tocsin, database, redis):
                    time.sleep(max(0.0, began + at - time.monotonic()))
                    trouble()
                time.sleep(1)
            tocsin.wait(lambda: not any(tocsin.query(sql) for sql in UNDONE), "all work to be done", 60)
            time.sleep(1)  # what the late one still does
            ledger = _ledger(tocsin, receiver, load)
            with capsys.disabled():
                ledger.show(print, load.sent, CRASHES)
            _check(tocsin, ledger)
    finally:
        redis.stop()


def _ledger(tocsin: Machines, receiver: Receiver, load: Load) -> Ledger:
    stored = [json.loads(labels)["instance"] for (labels,) in tocsin.query("SELECT labels FROM alerts_alert")]
    delivered = [alert["labels"]["instance"] for r in receiver.received for alert in r.json["alerts"]]
    return Ledger(load.acknowledged, stored, delivered)


def _check(tocsin: Machines, ledger: Ledger) -> None:
    assert not ledger.not_stored
    assert not ledger.not_delivered
    assert ledger.doubled <= CRASHES
    once = "SELECT COUNT(*) - COUNT(DISTINCT {}) FROM {}"
    assert tocsin.query(once.format("incident_id", "orchestration_pipelinerun")) == [(0,)]
    assert tocsin.query(once.format("incident_id", "notify_delivery")) == [(0,)]
    assert all(machine.alive for machine in (*tocsin.webs, *tocsin.workers)), "none ended by itself"
    for worker in tocsin.workers:
        assert worker.said.count('"redis.lost"') <= 1 + worker.starts


def test_mariadb_that_crashes_ends_nobody(receiver: Receiver) -> None:
    with mariadb_server() as database, Machines(database.url, workers=2) as tocsin:
        tocsin.add_webhook(receiver.url)
        tocsin.start()
        for number in range(2):
            tocsin.wait(lambda number=number: tocsin.post([alert(f"host-{number}")]) == 200, "the door")
            receiver.wait_for(number + 1)
            database.crash()
        tocsin.wait(lambda: tocsin.post([alert("last")]) == 200, "the door")
        receiver.wait_for(3)
        assert len(receiver.received) == 3
        assert all(machine.alive for machine in (*tocsin.webs, *tocsin.workers))
