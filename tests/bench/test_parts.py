"""The parts that are measured are still the program's, and what is counted is right."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from bench.meter import Meter, Postgres, Rounds, Sqlite
from bench.parts import TABLES, Parts
from bench.tables import PARTS
from tests.databases import postgres
from tests.fakes.receiver import Receiver
from tocsin.alerts.models import AlertHistory
from tocsin.notify.models import Delivery

SIZE = 3


@pytest.fixture
def meter(transactional_db: None) -> Meter:
    if connection.vendor != "sqlite":
        pytest.skip("measured on SQLite here")
    return Meter(Sqlite())


@pytest.fixture
def parts(meter: Meter, receiver: Receiver) -> Iterator[Parts]:
    made = Parts(meter, receiver.port)
    yield made
    made.close()


def test_an_alert_goes_the_whole_way(meter: Meter, parts: Parts, receiver: Receiver) -> None:
    parts.way(SIZE)
    assert len(receiver.received) == SIZE
    assert AlertHistory.objects.filter(decision="").count() == 0
    assert Delivery.objects.filter(state=Delivery.SENT).count() == SIZE
    parts.pages()
    sizes = parts.sizes()
    assert len(sizes) == len(TABLES) and all(size > 100 for size in sizes.values())
    parts.thin()
    measured = set(meter.summary())
    assert measured - {
        "commit, another of a group",
        "four stages and a delivery",
        "folding the log back",
    } == (PARTS.keys() - {"a message"})


def test_statements_and_rows_are_counted(meter: Meter, parts: Parts) -> None:
    parts.way(SIZE)
    meter.counting = True
    parts.way(SIZE)
    found = meter.summary()
    assert found["commit, new"][str(SIZE)]["rows"] == 2  # state and journal
    assert found["commit, re-sent"][str(SIZE)]["rows"] == 0
    assert found["commit, re-sent"][str(SIZE)]["log_bytes"] == 0
    assert found["four stages"][str(SIZE)]["rows"] == 5
    assert 0 < found["commit, new"][str(SIZE)]["statements"] < 20


def test_what_a_round_takes_is_told_for_each() -> None:
    rounds = Rounds(here=[0.002, 0.004], there=[0.0, 0.002], waited=[0.01, 0.02, 0.3], log=[300, 900])
    told = rounds.summary(3)
    assert told["cpu_us"] == 1_000
    assert told["db_us"] == pytest.approx(333.33)
    assert told["wait_ms"] == 20
    assert told["log_bytes"] == 200


@pytest.mark.real
def test_what_postgresql_takes_and_logs_is_seen() -> None:
    with postgres(durable=False) as url:
        server = Postgres(url)
        spent, logged = server.seconds(), server.log_bytes()
        with psycopg.connect(url.replace("postgres://", "postgresql://")) as client:
            client.execute("CREATE TABLE many AS SELECT generate_series(1, 200000) AS number")
            assert server.seconds() - spent > 0.01
        assert server.log_bytes() - logged > 1_000_000
        server.close()
