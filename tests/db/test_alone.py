"""One process at a time, until its transaction ends; which it does even when that process is frozen."""

import threading
import time

import pytest
from django.db import connection

from tocsin.alerts.models import AlertHistory, Silence
from tocsin.db import bulk
from tocsin.db.alone import alone_with

pytestmark = pytest.mark.django_db(transaction=True)


def _in_another_process(seconds: float) -> bool:
    """Whether another connection, which is what counts, gets it."""
    got: list[bool] = []

    def ask() -> None:
        with bulk.transaction():
            got.append(alone_with(AlertHistory, seconds))
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return got[0]


def test_one_at_a_time() -> None:
    if bulk.is_sqlite():
        pytest.skip("SQLite has one writer at a time")
    with bulk.transaction():
        assert alone_with(AlertHistory, 0)
        assert alone_with(AlertHistory, 0), "it has it already"
        assert alone_with(Silence, 0), "another model is another matter"
        began = time.monotonic()
        assert not _in_another_process(0.1)
        assert 0.1 <= time.monotonic() - began < 2
    assert _in_another_process(0)


def test_who_waits_gets_it_when_the_other_is_done() -> None:
    if bulk.is_sqlite():
        pytest.skip("SQLite has one writer at a time")
    got: list[bool] = []
    with bulk.transaction():
        assert alone_with(AlertHistory, 0)
        waiting = threading.Thread(target=lambda: got.append(_in_another_process(10)))
        waiting.start()
        time.sleep(0.1)
    waiting.join()
    assert got == [True]


def test_the_database_ends_a_transaction_in_which_nothing_happens() -> None:
    asked = {
        "postgresql": ("SELECT current_setting('idle_in_transaction_session_timeout')", "10s"),
        "mysql": ("SELECT @@idle_transaction_timeout", 10),
    }
    if connection.vendor not in asked:
        pytest.skip("SQLite has no such limit")
    sql, expected = asked[connection.vendor]
    assert bulk.fetch(sql) == [(expected,)]
