"""What Prometheus reads."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from tests.program import python
from tests.world import World
from tocsin.accounts import services as accounts
from tocsin.api.metrics import QUERIES, exposition
from tocsin.core import clock
from tocsin.orchestration import services as orchestration


def read(text: bytes) -> dict[str, float]:
    """Each sample by its name and labels, as Prometheus would read it."""
    return {
        sample.name + "".join(f"{{{key}={value}}}" for key, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_gauges_tell_what_waits_and_what_is_open(world: World) -> None:
    world.fire("DiskFull", "db-1")
    found = read(exposition(world.now + timedelta(seconds=90)))
    assert found["tocsin_journal_waiting"] == 1
    assert found["tocsin_journal_oldest_seconds"] == 90
    assert found["tocsin_incidents{status=open}"] == 0

    world.work()
    orchestration.acknowledge(incident_id=world.incident().pk, actor="alice", now=world.now)
    found = read(exposition(world.now))
    assert found["tocsin_journal_waiting"] == found["tocsin_journal_oldest_seconds"] == 0
    assert found["tocsin_incidents{status=acknowledged}"] == 1
    assert found["tocsin_database_up"] == 1
    assert found["tocsin_build_info{version=0.1.0}"] == 1


def test_gauges_tell_of_deliveries_that_do_not_get_through(world: World) -> None:
    world.channel()
    world.receiver.default.status = 500
    world.fire()
    world.work()
    assert read(exposition(world.now))["tocsin_deliveries_unsent{state=retrying}"] == 1
    world.receiver.default.status = 410
    world.forward(minutes=1)
    found = read(exposition(world.now))
    assert found["tocsin_deliveries_unsent{state=retrying}"] == 0
    assert found["tocsin_deliveries_unsent{state=dead}"] == 1
    assert found["tocsin_deliveries_total{driver=webhook}{result=rejected}"] >= 1


@pytest.mark.parametrize("sql", QUERIES)
def test_each_gauge_is_an_index_away(sql: str, db: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("plans are read on SQLite")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", [clock.now()] if "%s" in sql else [])
        plan = "; ".join(row[3] for row in cursor.fetchall())
    assert " INDEX " in plan, plan


def test_counters_of_all_processes_are_added_up(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    code = """
from django.test import Client
from tocsin.alerts.intake import metrics
metrics.count_alerts("grafana", 3, 0)
metrics.hand_over(0)
print(Client(headers={"host": "localhost"}).get("/metrics").content.decode())
"""
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    python(code, data_dir=tmp_path, **shared)
    second = python(code, data_dir=tmp_path, **shared)
    assert 'tocsin_intake_alerts_total{source="grafana"} 6.0' in second.stdout, second.stderr


def test_open_on_loopback_only(
    client: Client, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 401
    monkeypatch.setenv("TOCSIN_HOST", "0.0.0.0")
    assert client.get("/metrics").status_code == 401
    wrong = client.get("/metrics", headers={"Authorization": "Bearer tocsin_wrong"})
    assert wrong.status_code == 403

    key = accounts.create_api_key(name="prometheus", scope="ingest", now=clock.now())
    assert client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    accounts.revoke_api_key(name="prometheus", now=clock.now())
    assert client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 403

    client.force_login(User.objects.create_user("alice"))
    assert client.get("/metrics").status_code == 200
