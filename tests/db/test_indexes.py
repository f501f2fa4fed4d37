"""An index is added while somebody writes to its table."""

import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection, models, transaction
from django.db.migrations.state import ProjectState

from tocsin.alerts.models import Incident
from tocsin.db import bulk
from tocsin.db.indexes import AddIndexBeside

pytestmark = pytest.mark.django_db(transaction=True)

ADD = AddIndexBeside("incident", models.Index(fields=["trace_id"], name="incident_beside"))


def _add() -> None:
    before = ProjectState.from_apps(Incident._meta.apps)
    after = before.clone()
    ADD.state_forwards("alerts", after)
    with connection.schema_editor(atomic=False) as editor:
        ADD.database_forwards("alerts", editor, before, after)


def _add_elsewhere() -> None:
    _add()
    connection.close()


def _there() -> bool:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Incident._meta.db_table)
    return ADD.index.name in found


@pytest.fixture(autouse=True)
def _removed_afterwards(transactional_db: None) -> Iterator[None]:
    yield
    if _there():
        with connection.schema_editor(atomic=False) as editor:
            editor.remove_index(Incident, ADD.index)


def test_it_is_added() -> None:
    _add()
    assert _there()


def test_on_postgresql_what_was_cut_off_is_made_anew() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("others leave nothing")
    _add()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'incident_beside'::regclass"
        )
    _add()
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'incident_beside'::regclass")
        assert cursor.fetchone() == (True,)


def test_on_postgresql_others_write_meanwhile() -> None:
    """Somebody's transaction that has written keeps it from ending, and it keeps nobody from writing."""
    if connection.vendor != "postgresql":
        pytest.skip("InnoDB does so by itself, SQLite cannot")
    adding = threading.Thread(target=_add_elsewhere)
    with transaction.atomic():
        Incident.objects.update(title="first")
        _write_elsewhere()
        adding.start()
        _wait_until_it_waits()
        _write_elsewhere()
        assert adding.is_alive()
    adding.join(20)
    assert _there()


def test_a_transaction_is_refused() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("it matters to PostgreSQL alone")
    state = ProjectState.from_apps(Incident._meta.apps)
    with (
        transaction.atomic(),
        connection.schema_editor(atomic=False) as editor,
        pytest.raises(RuntimeError, match="atomic = False"),
    ):
        ADD.database_forwards("alerts", editor, state, state)


def _write_elsewhere() -> None:
    def write() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 5000")
        Incident.objects.filter(title="nobody").update(title="somebody")
        connection.close()

    writing = threading.Thread(target=write)
    writing.start()
    writing.join(10)
    assert not writing.is_alive()


def _wait_until_it_waits() -> None:
    deadline = time.monotonic() + 10
    while not bulk.fetch("SELECT 1 FROM pg_locks WHERE NOT granted"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
