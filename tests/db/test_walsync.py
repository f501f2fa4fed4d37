"""Nothing is acknowledged before its commit is on disk, however many share one sync."""

import errno
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests.doorway import Doorway
from tests.doorway import doorway as open_doorway
from tocsin.alerts.models import Alert
from tocsin.db import bulk
from tocsin.db.walsync import WalSync, relax

BODY = b'{"name":"x"}'


@pytest.fixture(autouse=True)
def sqlite_only() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("other databases sync within the commit")


@pytest.fixture
def door(transactional_db: None) -> Iterator[Doorway]:
    with open_doorway() as way:
        yield way


class Disk:
    """``os.fdatasync`` with a gate in front: closed, the disk takes its time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()
        self.syncs = 0
        self.error: OSError | None = None
        self._real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def _sync(self, file: int) -> None:
        self.reached.set()
        assert self.open.wait(10)
        self.syncs += 1
        if self.error:
            raise self.error
        self._real(file)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_the_answer_waits_for_the_disk(door: Doorway, disk: Disk) -> None:
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(door.post, BODY)
        assert disk.reached.wait(10)
        assert not answer.done()
        disk.open.set()
        assert answer.result(10).status == 202
    assert disk.syncs == 1
    assert door.rings == 1


def test_what_cannot_be_synced_is_not_acknowledged(door: Doorway, disk: Disk) -> None:
    disk.open.set()
    disk.error = OSError(errno.EIO, "Input/output error")
    answer = door.post(BODY)
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    disk.error = None
    assert door.post(BODY).status == 202
    assert disk.syncs == 2, "a repeat of what failed is not known to be on disk"
    door.still_works()


def test_a_repeat_is_answered_without_the_disk(door: Doorway, disk: Disk) -> None:
    disk.open.set()
    for _ in range(5):
        assert door.post(BODY).status == 202
    assert disk.syncs == 1
    assert Alert.objects.count() == 1


def test_a_relaxed_connection_writes_to_the_log_and_does_not_wait(transactional_db: None) -> None:
    def synchronous() -> int:
        return int(bulk.fetch("PRAGMA synchronous")[0][0])

    def within() -> tuple[int, int, int]:
        fresh = synchronous()
        relax()
        relaxed = synchronous()
        connection.close()
        relax()
        again = synchronous()
        connection.close()
        return fresh, relaxed, again

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(within).result() == (2, 1, 1)  # FULL, NORMAL, and NORMAL after a new start


def test_items_come_back_in_order_and_all_of_them(transactional_db: None) -> None:
    back: list[int] = []
    sync = WalSync[int](lambda items, error: back.extend(items))
    sync.start()
    for number in range(500):
        sync.put(number)
    sync.stop()
    assert back == list(range(500))
    assert sync.idle
