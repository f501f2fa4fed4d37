"""Celery workers on PostgreSQL, with Redis as their broker and as the doorbell."""

import statistics
import sys
import time
from pathlib import Path

import pytest

from tests.celery_worker import celery_workers
from tests.checkers.servers import redis
from tests.databases import postgres
from tests.fakes.receiver import Receiver
from tests.faults.test_kill import UNDONE
from tests.ledger import alert
from tests.machines import Machines

pytestmark = pytest.mark.real

LAG = """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM s.started_at - h.received_at))
    FROM orchestration_stageexecution s JOIN orchestration_pipelinerun r ON r.run_id = s.run_id
    JOIN alerts_alerthistory h ON h.trace_id = r.trace_id WHERE s.stage = 'INGEST'"""
CHAIN = ("orchestrate_event", "alerts_ingest", "run_diagnostics", "analyze_incident", "notify_channels")


def test_the_main_job(receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with postgres() as url, redis(tmp_path) as port:
        broker = f"redis://127.0.0.1:{port}/0"
        with (
            Machines(url, workers=0, REDIS_URL=broker, CELERY_BROKER_URL=broker) as tocsin,
            celery_workers(tocsin, tmp_path, 2) as workers,
        ):
            tocsin.add_webhook(receiver.url)
            tocsin.start()
            whole = [_seconds(tocsin, receiver, f"idle-{number}") for number in range(15)]
            (lag,) = tocsin.query(LAG)[0]
            with capsys.disabled():
                whole_ms = statistics.median(whole) * 1e3
                sys.stdout.write(
                    f"\nmedian: {lag * 1e3:.0f} ms to a run's start, {whole_ms:.0f} ms to its message\n"
                )
            for number in range(10):
                assert tocsin.post([alert(f"host-{number}-{each}") for each in range(20)]) == 200
            tocsin.wait(lambda: not any(tocsin.query(sql) for sql in UNDONE), "all work to be done", 60)
            sent = [each["labels"]["instance"] for r in receiver.received for each in r.json["alerts"]]
            assert len(sent) == len(set(sent)) == 215
            stages = tocsin.query("SELECT stage, count(*) FROM orchestration_stageexecution GROUP BY stage")
            assert set(stages) == {(stage, 215) for stage in ("INGEST", "CHECK", "ANALYZE", "NOTIFY")}
            said = "".join(worker.said for worker in workers)
            assert all(f"Task {task}[" in said for task in CHAIN)
            assert all(time.time() - worker.alive.stat().st_mtime < 30 for worker in workers)
            assert [worker.stop() for worker in workers] == [0, 0]


def _seconds(tocsin: Machines, receiver: Receiver, name: str) -> float:
    before, began = len(receiver.received), time.monotonic()
    assert tocsin.post([alert(name)]) == 200
    tocsin.wait(lambda: len(receiver.received) > before, "its message")
    return time.monotonic() - began
