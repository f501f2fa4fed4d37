"""kill -9 at random moments under load: nothing acknowledged is lost, next to nothing is doubled."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.databases import postgres
from tests.fakes.receiver import Receiver
from tests.ledger import Ledger, Load
from tests.processes import Tocsin

pytestmark = pytest.mark.faults

KILLS = 12
UNDONE = (
    "SELECT 1 FROM alerts_alerthistory WHERE decision = '' LIMIT 1",
    "SELECT 1 FROM orchestration_pipelinerun WHERE due_at IS NOT NULL LIMIT 1",
    "SELECT 1 FROM notify_delivery WHERE due_at IS NOT NULL LIMIT 1",
)
VICTIMS = ("web", "worker", "supervisor")


@contextmanager
def sqlite() -> Iterator[str]:
    """No server: the file in the data directory."""
    yield ""


@pytest.fixture(params=[sqlite, postgres])
def tocsin(request: pytest.FixtureRequest, receiver: Receiver) -> Iterator[Tocsin]:
    with request.param() as url, Tocsin(DATABASE_URL=url) as started:
        started.add_webhook(receiver.url)
        yield started


def _kill(tocsin: Tocsin, victim: str) -> None:
    tocsin.kill(victim)
    if victim == "supervisor":
        tocsin.wait(lambda: tocsin.post([], timeout=1) == 0, "its children to end", 10)
        tocsin.output.clear()
        tocsin.start()


def _delivered(receiver: Receiver) -> list[str]:
    return [alert["labels"]["instance"] for r in receiver.received for alert in r.json["alerts"]]


def test_kills_lose_nothing(tocsin: Tocsin, receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(20261121)
    with Load(tocsin) as load:
        for number in range(KILLS):
            time.sleep(chance.uniform(0.3, 1.2))
            _kill(tocsin, VICTIMS[number % len(VICTIMS)])
        time.sleep(1.5)
    tocsin.wait(lambda: not any(tocsin.query(sql) for sql in UNDONE), "all work to be done", 120)
    stored = [json.loads(labels)["instance"] for (labels,) in tocsin.query("SELECT labels FROM alerts_alert")]
    ledger = Ledger(load.acknowledged, stored, _delivered(receiver))
    with capsys.disabled():
        ledger.show(print, load.sent, KILLS)
    assert not ledger.not_stored
    assert not ledger.not_delivered
    assert ledger.doubled <= KILLS
    if not tocsin.environment["DATABASE_URL"]:
        assert tocsin.query("PRAGMA integrity_check") == [("ok",)]
