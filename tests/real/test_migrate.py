"""``tocsin migrate`` while others are at work on PostgreSQL."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.databases import postgres
from tests.machines import Machines

pytestmark = pytest.mark.real


@pytest.fixture
def tocsin() -> Iterator[Machines]:
    with postgres(durable=False) as url, Machines(url) as machines:
        yield machines


def test_a_backup_that_takes_long_holds_up_neither_it_nor_others(tocsin: Machines, tmp_path: Path) -> None:
    """While it waits for a lock it lets the others pass."""
    tocsin.run("migrate", "-v0")
    tocsin.run("migrate", "-v0", "orchestration", "0001")
    url = tocsin.environment["DATABASE_URL"].replace("postgres://", "postgresql://")
    said = tmp_path / "said"
    with psycopg.connect(url) as backup, said.open("w") as output:
        backup.execute("LOCK TABLE orchestration_pipelinerun IN ACCESS SHARE MODE")
        command = [sys.executable, "-m", "tocsin", "migrate", "-v0"]
        migrating = subprocess.Popen(command, env=tocsin.environment, stderr=output)
        deadline = time.monotonic() + 30
        while "migrate.waits" not in said.read_text():
            assert time.monotonic() < deadline and migrating.poll() is None, said.read_text()
            time.sleep(0.02)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SET statement_timeout = '4s'")
            other.execute("UPDATE orchestration_pipelinerun SET reason = reason")
        assert migrating.poll() is None
        backup.commit()
    assert migrating.wait(30) == 0, said.read_text()
