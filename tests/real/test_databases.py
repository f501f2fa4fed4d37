"""The tests that touch the database, on PostgreSQL and MariaDB: the same code, the same answers."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.databases import mariadb, postgres

pytestmark = pytest.mark.real

PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
ROOT = Path(__file__).parents[2]
SUITES = (
    "tests/flows",
    "tests/fleet",
    "tests/db",
    "tests/alerts",
    "tests/notify",
    "tests/orchestration",
    "tests/accounts",
    "tests/api",
    "tests/chat",
    "tests/checkers/test_monitors.py",
    "tests/cli/test_monitor.py",
)
OUTER = ("tests/api", "tests/accounts", "tests/notify", "tests/chat")  # one database besides will do
BUT = (
    "tests/flows/test_bad_receivers.py",  # about receivers
    # These read payloads, and touch no database.
    "tests/alerts/test_any_input.py",
    "tests/alerts/test_mutated_input.py",
    "tests/alerts/test_golden.py",
    "tests/alerts/test_corpus.py",
    "tests/alerts/apis/test_any_input.py",
)


@pytest.mark.parametrize(
    ("database", "suites"),
    [(postgres, SUITES), (mariadb, [suite for suite in SUITES if suite not in OUTER])],
    ids=["postgresql", "mariadb"],
)
def test_the_suite_passes_on(
    database: Callable[[bool], AbstractContextManager[str]], suites: Sequence[str]
) -> None:
    with database(False) as url:  # many tables are emptied many times
        done = subprocess.run(
            [*PYTEST, "-q", "-n", "auto", *(f"--ignore={file}" for file in BUT), *suites],
            cwd=ROOT,
            env={**os.environ, "TOCSIN_TEST_DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:]
