"""Alive, and able to work: two questions, two answers."""

import json
from pathlib import Path

import pytest
from django.test import Client

from tests.program import python
from tocsin.core import clock

UNREACHABLE = "postgres://tocsin@127.0.0.1:1/none"


def test_healthz_asks_no_database(client: Client) -> None:
    """Without the database fixture every query fails: no middleware makes one either."""
    client.cookies["sessionid"] = "of-somebody-signed-in"
    for path in ("/api/healthz", "/health"):
        answer = client.get(path)
        found = answer.json()
        assert answer.status_code == 200
        assert found["status"] == "ok"
        assert found["uptime"] >= 0
        assert found["timestamp"][:10] == clock.now().date().isoformat()


@pytest.mark.parametrize("path", ["/health", "/ready", "/api/healthz", "/api/readyz", "/metrics"])
def test_probes_come_by_address(client: Client, transactional_db: None, path: str) -> None:
    assert client.get(path, headers={"Host": "10.1.2.3:8420"}).status_code == 200
    assert client.get("/sign-in/", headers={"Host": "10.1.2.3:8420"}).status_code == 400


def test_ready_when_the_database_is_migrated(client: Client, transactional_db: None) -> None:
    for path in ("/api/readyz", "/ready"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_not_ready_before_migration(tmp_path: Path) -> None:
    code = """
from django.test import Client
print(Client(headers={'host': 'localhost'}).get('/api/readyz').json())
"""
    asked = python(code, data_dir=tmp_path)
    assert "migrations: run tocsin migrate" in asked.stdout, asked.stderr


def test_a_database_that_is_away_makes_it_unready_not_dead(tmp_path: Path) -> None:
    code = """
import json
from django.test import Client
here = Client(headers={'host': 'localhost'})
found = {path: here.get(path) for path in ('/api/healthz', '/api/readyz', '/metrics')}
print(json.dumps({path: [answer.status_code, answer.content.decode()] for path, answer in found.items()}))
"""
    asked = python(code, data_dir=tmp_path, DATABASE_URL=UNREACHABLE)
    found = json.loads(asked.stdout)
    assert found["/api/healthz"][0] == 200
    status, content = found["/api/readyz"]
    assert status == 503
    assert "the database cannot be reached" in json.loads(content)["message"]
    status, content = found["/metrics"]
    assert status == 200
    assert "tocsin_database_up 0.0" in content


def test_posting_is_refused(client: Client) -> None:
    assert client.post("/api/healthz").status_code == 405
