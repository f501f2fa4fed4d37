"""Celery workers killed, their broker flushed and stopped for a while: nothing acknowledged is lost."""

import json
import random
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.celery_worker import celery_workers
from tests.checkers.servers import listens
from tests.databases import postgres
from tests.fakes.receiver import Receiver
from tests.faults.test_kill import UNDONE
from tests.installed import require
from tests.ledger import Ledger, Load
from tests.machines import Machines
from tests.processes import free_port

pytestmark = pytest.mark.faults

TURNS = 4


class Broker:
    """A Redis that forgets, stops and comes back on its port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        own = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        self._command = [require("redis-server"), *own]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        while not listens(self.port):
            assert self._process.poll() is None
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def flush(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), 5) as client:
            client.sendall(b"FLUSHALL\r\n")
            assert client.recv(100).startswith(b"+OK")


def test_dead_workers_and_a_lost_broker_lose_nothing(
    receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance, broker = random.Random(20261121), Broker(tmp_path)
    there = f"redis://127.0.0.1:{broker.port}/0"
    try:
        with (
            postgres() as url,
            Machines(url, workers=0, REDIS_URL=there, CELERY_BROKER_URL=there) as tocsin,
            celery_workers(tocsin, tmp_path, 2) as workers,
        ):
            tocsin.add_webhook(receiver.url)
            tocsin.start()
            with Load(tocsin) as load:
                for number in range(TURNS):
                    time.sleep(chance.uniform(0.5, 1.5))
                    workers[number % 2].kill()
                    workers[number % 2].start()
                    if number == 2:
                        broker.flush()
                broker.stop()
                time.sleep(3)
                broker.start()
                time.sleep(2)
            tocsin.wait(lambda: not any(tocsin.query(sql) for sql in UNDONE), "all work to be done", 180)
            rows = tocsin.query("SELECT labels FROM alerts_alert")
            delivered = [each["labels"]["instance"] for r in receiver.received for each in r.json["alerts"]]
            ledger = Ledger(load.acknowledged, [json.loads(row[0])["instance"] for row in rows], delivered)
            with capsys.disabled():
                ledger.show(print, load.sent, TURNS)
            assert not ledger.not_stored
            assert not ledger.not_delivered
            assert len(load.acknowledged) > 100
            once = {
                tuple(row) for row in tocsin.query("SELECT run_id, stage FROM orchestration_stageexecution")
            }
            done = tocsin.query("SELECT count(*) FROM orchestration_stageexecution WHERE exit = 'next'")
            assert done[0][0] == len(once), "no node of a run was left twice"
    finally:
        broker.stop()
