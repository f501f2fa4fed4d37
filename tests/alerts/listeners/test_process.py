"""Listeners are kept running, each by itself, and wait for a committer that is full."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.doorway import Doorway, doorway
from tocsin.alerts.events import AlertEvent
from tocsin.alerts.listeners import desk, process
from tocsin.alerts.listeners.desk import Desk
from tocsin.alerts.models import Alert


@pytest.fixture
def way(transactional_db: None) -> Iterator[Doorway]:
    with doorway(limit=2) as found:
        yield found


class Steady:
    """A listener that listens."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        await asyncio.Event().wait()


class Failing(Steady):
    """One that fails at once."""

    async def run(self) -> None:
        self.runs += 1
        raise ConnectionRefusedError("nobody there")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LONGEST_WAIT", 0.01)
    monkeypatch.setattr(desk, "LONGEST_WAIT", 0.01)


async def test_one_that_fails_is_started_again_and_ends_no_other() -> None:
    steady, failing = Steady("steady"), Failing("failing")
    tasks = [asyncio.create_task(process.keep(listener)) for listener in (steady, failing)]
    while failing.runs < 4:
        await asyncio.sleep(0.005)
    assert steady.runs == 1
    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_waits_grow_and_end_at_the_longest() -> None:
    assert [0.5 <= desk.backoff(0, 60) <= 1, 2 <= desk.backoff(2, 60) <= 4] == [True, True]
    assert 30 <= desk.backoff(2000, 60) <= 60


def test_a_full_committer_is_waited_for(way: Doorway) -> None:
    async def many() -> None:
        takes = Desk(way.committer)
        events = [AlertEvent(labels={"alertname": f"A{number}"}) for number in range(12)]
        await asyncio.gather(*(takes.store_patiently("test", [event]) for event in events))

    way.run(many())
    assert Alert.objects.count() == 12


def test_what_breaks_a_bound_costs_itself_alone(way: Doorway) -> None:
    good, bad = AlertEvent(labels={"alertname": "Good"}), AlertEvent(labels={"alertname": "B", "x": "\0"})
    way.run(Desk(way.committer).store_patiently("test", [bad]))
    way.run(Desk(way.committer).store_patiently("test", [bad, good]))
    assert [alert.labels for alert in Alert.objects.all()] == [{"alertname": "Good"}]
