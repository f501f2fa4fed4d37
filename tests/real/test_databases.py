"""The tests that touch the database, on PostgreSQL and MariaDB: the same code, the same answers."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.databases import mariadb, postgres

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
SUITES = (
    "tests/flows",
    "tests/db",
    "tests/alerts",
    "tests/notify",
    "tests/orchestration",
    "tests/accounts",
    "tests/web",
    "tests/api",
)


@pytest.mark.parametrize("database", [postgres, mariadb])
def test_the_suite_passes_on(database: Callable[[], AbstractContextManager[str]]) -> None:
    with database() as url:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITES],
            cwd=ROOT,
            env={**os.environ, "TOCSIN_TEST_DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:]
