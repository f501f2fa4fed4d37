"""An upgrade with runs under way: the database is migrated, then one process after the other is started again
as the next version, under load. Nothing is lost, and nothing doubled."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.databases import postgres
from tests.fakes.receiver import Answer, Received, Receiver
from tests.faults import next_version
from tests.faults.test_kill import UNDONE
from tests.ledger import PAUSE, Ledger, Load, alert
from tests.machines import Machines

pytestmark = pytest.mark.faults

KINDS = ("waits", "errand", "flaky")  # each twentieth alert is of one of them; the others are plain
WAIT_SECONDS = 8
BEGIN = """
from django.core.management import call_command
from tocsin.core import clock
from tocsin.notify import services
from tocsin.orchestration import definitions
call_command("migrate", verbosity=0)
services.add_channel(name="sink", driver="webhook", given={{"url": {url!r}}}, now=clock.now())
for name, document in {documents!r}.items():
    definitions.put(name=name, document=document, matching=[f"kind={{name}}"], now=clock.now())
"""
BEGIN_NEXT = """
from tocsin.alerts.models import Incident
from tocsin.core import clock
from tocsin.orchestration import definitions, services
document = {"version": "1.0", "nodes": [{"id": "new", "type": "stamp"}]}
definitions.put(name="next", document=document, matching=["kind=next"], now=clock.now())
services.begin(incident_id=Incident.objects.earliest("pk").pk, definition="next", now=clock.now())
"""


class Senders(Load):
    """They post each alert until it is taken, to one web process after the other, as senders do."""

    def _run(self) -> None:
        while not self._stopping.is_set():
            number = next(self._numbers)
            instance, kind = f"host-{number}", dict(enumerate(KINDS)).get(number % 20, "plain")
            payload = alert(instance)
            payload["labels"]["kind"] = kind
            self.sent += 1
            while self._tocsin.post([payload]) != 200:
                time.sleep(PAUSE)
            self.acknowledged.add(instance)
            time.sleep(PAUSE)


class Service:
    """What errands go to: slow, and flaky at first."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def answer(self, received: Received) -> Answer:
        if received.path == "/hook":
            return Answer()
        key = received.headers["idempotency-key"]
        self.asked[key] += 1
        if received.path == "/flaky":
            return Answer(503 if self.asked[key] < 3 else 200)
        return Answer(delay=1.0)

    @property
    def doubled(self) -> int:
        return sum(count - 1 for key, count in self.asked.items() if key.endswith(":ask"))


def _documents(receiver: Receiver) -> dict[str, Any]:
    base, tell = receiver.url.removesuffix("/hook"), {"id": "tell", "type": "notify"}
    asking = {"type": "http", "next": "tell", "retry": {"tries": 6, "first_seconds": 1.5}}
    first = {
        "waits": {"id": "pause", "type": "wait", "next": "tell", "config": {"seconds": WAIT_SECONDS}},
        "errand": {"id": "ask", **asking, "config": {"method": "POST", "url": f"{base}/errand"}},
        "flaky": {"id": "try", **asking, "config": {"method": "POST", "url": f"{base}/flaky"}},
    }
    return {kind: {"version": "1.0", "nodes": [node, tell]} for kind, node in first.items()}


def test_an_upgrade_loses_nothing_and_doubles_nothing(
    tmp_path: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    service, new = Service(), next_version.build(tmp_path / "next")
    receiver.answer_to = service.answer
    with postgres() as url, Machines(url, webs=2, workers=2, TOCSIN_DRAIN_SECONDS="1") as tocsin:
        tocsin.run("shell", "-v0", "-c", BEGIN.format(url=receiver.url, documents=_documents(receiver)))
        tocsin.start()
        old = tocsin.environment
        with Senders(tocsin, threads=1) as load:
            receiver.wait_for(10)
            tocsin.environment = old | new
            tocsin.run("prepare")
            tocsin.run("shell", "-v0", "-c", BEGIN_NEXT)
            tocsin.wait(
                lambda: any("run.left_to_others" in w.said for w in tocsin.workers), "it to be left", 60
            )
            for machine in (*tocsin.webs, *tocsin.workers):
                machine.restart(**new)
                tocsin.wait(lambda: tocsin.post([]) == tocsin.post([]) == 200, "both doors to be open", 60)
            time.sleep(1)
        tocsin.wait(lambda: not any(tocsin.query(sql) for sql in UNDONE), "all work to be done", 60)
        tocsin.workers[0].restart(PYTHONPATH="")  # and back again
        tocsin.wait(lambda: "schema.ahead" in tocsin.workers[0].said, "the old version to see it", 60)
        ledger = _ledger(tocsin, receiver, load)
        with capsys.disabled():
            ledger.show(print, load.sent, 0)
        _check(tocsin, ledger, service)


def _ledger(tocsin: Machines, receiver: Receiver, load: Load) -> Ledger:
    stored = [json.loads(labels)["instance"] for (labels,) in tocsin.query("SELECT labels FROM alerts_alert")]
    messages = [r.json for r in receiver.received if r.path == "/hook"]
    delivered = [alert["labels"]["instance"] for message in messages for alert in message["alerts"]]
    return Ledger(load.acknowledged, stored, delivered)


def _check(tocsin: Machines, ledger: Ledger, service: Service) -> None:
    assert not ledger.not_stored and not ledger.not_delivered
    assert ledger.doubled == 0
    assert service.doubled == 0 and len(service.asked) > 4
    ended = dict(
        tocsin.query(
            "SELECT stage, count(*) FROM orchestration_stageexecution WHERE state = 'succeeded' GROUP BY 1"
        )
    )
    assert ended["new"] == 1, "what an old worker had left"
    assert ended["pause"] > 2 and ended["ask"] > 2 and ended["try"] > 2
    assert tocsin.query("SELECT DISTINCT state FROM orchestration_pipelinerun ORDER BY 1") == [
        ("COMPLETED",),
        ("NOTIFIED",),
    ]
    assert tocsin.query("SELECT DISTINCT asked_by FROM orchestration_pipelinerun") == [("nobody",)]
    assert all(machine.alive for machine in (*tocsin.webs, *tocsin.workers)), "none ended by itself"
