"""What is no alert: on disk before its sender is answered, many in one transaction, each for itself."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import OperationalError, connections

from tocsin.alerts.events import Beat, Deed
from tocsin.alerts.intake.beside import BesideAlerts, Told
from tocsin.alerts.models import ParkedPayload
from tocsin.core import clock
from tocsin.core.errors import Rejected, Unavailable, Unknown

TOLD = Told("test", "", "trace", clock.now(), True)


class Shelf:
    """A sink that keeps what it is given as rows, and refuses what it is told to."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Event()

    def take(self, items: Sequence[Any], told: Told) -> bool:
        self.reached.set()
        assert self.gate.wait(10)
        for item in items:
            ParkedPayload.objects.create(
                received_at=told.received_at, trace_id=item.name, size=0, body=b"", reason="kept"
            )
            if item.name == "unknown":
                raise Unknown("nobody")
            if item.name == "nul":
                raise UnicodeError("surrogates")
            if item.name == "away":
                raise OperationalError("the database is away")
        return items[-1].name == "new"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def beside(transactional_db: None, shelf: Shelf) -> Iterator[BesideAlerts]:
    kept = BesideAlerts({Beat: shelf.take, Deed: lambda items, told: False}, lambda: None)
    yield kept
    kept.close()
    connections.close_all()


def _kept() -> set[str]:
    """What is stored, read in a thread of its own, whose connection must not outlive it."""
    try:
        return set(ParkedPayload.objects.values_list("trace_id", flat=True))
    finally:
        connections.close_all()


async def test_what_waits_meanwhile_shares_a_transaction_and_each_has_its_own_answer(
    beside: BesideAlerts, shelf: Shelf
) -> None:
    shelf.gate.clear()
    first = asyncio.create_task(beside.keep([Beat(name="first")], TOLD))
    await asyncio.to_thread(shelf.reached.wait, 10)
    names = ["plain", "unknown", "new", "nul"]
    rest = [asyncio.create_task(beside.keep([Beat(name=name)], TOLD)) for name in names]
    await asyncio.sleep(0)
    shelf.gate.set()
    outcomes = await asyncio.gather(first, *rest, return_exceptions=True)
    assert [outcomes[0], outcomes[1], outcomes[3]] == [False, False, True]
    assert isinstance(outcomes[2], Unknown)
    assert isinstance(outcomes[4], Rejected)
    assert await asyncio.to_thread(_kept) == {"first", "plain", "new"}


async def test_a_database_that_is_away_is_told_and_comes_back(beside: BesideAlerts) -> None:
    with pytest.raises(Unavailable):
        await beside.keep([Beat(name="away")], TOLD)
    assert await beside.keep([Beat(name="new"), Deed("f", "note")], TOLD) is True
    assert await asyncio.to_thread(_kept) == {"new"}


async def test_a_kind_that_nobody_keeps_is_not_dropped_in_silence(transactional_db: None) -> None:
    nobody = BesideAlerts({}, lambda: None)
    with pytest.raises(KeyError):
        await nobody.keep([Beat(name="x")], TOLD)
    nobody.close()
