"""Versions side by side: a process that is ahead of the database waits, one that is behind it goes on."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from tests.checkers.servers import listens
from tests.machines import Machine
from tests.processes import free_port
from tests.program import tocsin
from tocsin.db import schema

LATER = ("alerts", "9999_from_the_next_version")


def test_it_knows_the_migrations_that_django_finds() -> None:
    assert schema.brought() == set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def test_the_version_before_goes_on_with_a_database_that_is_ahead(
    transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    MigrationRecorder(connection).record_applied(*LATER)
    try:
        schema.wait()
        assert schema.missing() == set()
    finally:
        MigrationRecorder(connection).record_unapplied(*LATER)
    [told] = [str(record.msg) for record in caplog.records if "schema." in str(record.msg)]
    assert "schema.ahead" in told and ".".join(LATER) in told


@pytest.mark.real
@pytest.mark.parametrize("command", ["web", "worker"])
def test_a_database_that_is_behind_is_waited_for(tmp_path: Path, command: str) -> None:
    port = free_port()
    machine = Machine(command, {**os.environ, "TOCSIN_PORT": str(port), "DATABASE_URL": ""}, str(tmp_path))

    def begun() -> bool:
        return listens(port) if command == "web" else "worker.started" in machine.said

    try:
        _until(lambda: "schema.behind" in machine.said, machine)
        assert "tocsin prepare" in machine.said
        assert not begun()
        assert tocsin("prepare", data_dir=tmp_path).returncode == 0
        _until(begun, machine)
        assert machine.said.count("schema.behind") == 1
    finally:
        machine.end()
        machine.remove()


@pytest.mark.real
def test_who_waits_ends_when_asked(tmp_path: Path) -> None:
    machine = Machine("worker", {**os.environ, "DATABASE_URL": ""}, str(tmp_path))
    try:
        _until(lambda: "schema.behind" in machine.said, machine)
        machine.end()
        assert machine.wait() == 0
    finally:
        machine.remove()


def _until(so: Callable[[], bool], machine: Machine) -> None:
    deadline = time.monotonic() + 30
    while not so():
        assert time.monotonic() < deadline and machine.alive, machine.said
        time.sleep(0.02)
