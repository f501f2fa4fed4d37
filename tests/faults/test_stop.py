"""SIGTERM under load: it ends within five seconds, nothing is lost and nothing doubled."""

import json
import time

import pytest

from tests.fakes.receiver import Receiver
from tests.faults.test_kill import UNDONE
from tests.ledger import Ledger, Load
from tests.processes import Tocsin

pytestmark = pytest.mark.faults


def test_stopping_under_load_loses_nothing(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    with Tocsin() as tocsin:
        tocsin.add_webhook(receiver.url)
        with Load(tocsin) as load:
            time.sleep(3)
            took = tocsin.stop()
            assert took < 5
        assert tocsin.process is not None and tocsin.process.returncode == 0
        tocsin.output.clear()
        tocsin.start()
        tocsin.wait(lambda: not any(tocsin.query(sql) for sql in UNDONE), "all work to be done", 60)
        stored = [
            json.loads(labels)["instance"] for (labels,) in tocsin.query("SELECT labels FROM alerts_alert")
        ]
        delivered = [alert["labels"]["instance"] for r in receiver.received for alert in r.json["alerts"]]
        ledger = Ledger(load.acknowledged, stored, delivered)
        with capsys.disabled():
            ledger.show(print, load.sent, 0)
    assert load.acknowledged
    assert not ledger.not_stored and not ledger.not_delivered
    assert ledger.doubled == 0


def test_a_child_that_dies_is_started_again(receiver: Receiver) -> None:
    with Tocsin() as tocsin:
        for name in ("web", "worker"):
            before = tocsin.child(name)
            assert before is not None
            tocsin.kill(name)
            tocsin.wait(
                lambda name=name, before=before: tocsin.child(name) not in (None, before),
                f"a new {name} process",
            )
        tocsin.wait(lambda: tocsin.post([]) == 200, "the door to open again")
        assert any("worker ended (signal 9)" in line for line in tocsin.output)
