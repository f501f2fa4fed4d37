"""Containers, by a stand-in that keeps to Docker's documented API."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.checkers.looking import look
from tests.fakes.docker import Engine, docker
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.running import build
from tocsin.core.errors import Forbidden


class Here:
    """An engine, and a look at it."""

    def __init__(self, engine: Engine, socket: str) -> None:
        self.engine, self.socket = engine, socket

    def look(self, *names: str, **options: int) -> CheckResult:
        return look("docker", socket=self.socket, names=list(names), **options)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    with docker(tmp_path) as (engine, socket):
        yield Here(engine, socket)


def test_all_that_run(here: Here) -> None:
    here.engine.container("web", health="healthy")
    here.engine.container("db", health="starting")
    here.engine.container("migration", "exited")
    found = here.look()
    assert (found.status, found.message) == ("ok", "2 containers run")
    assert found.metrics == {"running": 2, "restarts[web]": 0, "restarts[db]": 0}


def test_none_at_all(here: Here) -> None:
    assert here.look().message == "0 containers run"


@pytest.mark.parametrize(("status", "health", "said"), [
    ("running", "unhealthy", "web is unhealthy"),
    ("exited", "", "web is exited (exit code 137)"),
    ("dead", "", "web is dead (exit code 137)"),
    ("restarting", "", "web is restarting"),
    ("paused", "", "web is paused"),
    ("created", "", "web is created"),
])  # fmt: skip
def test_a_container_that_must_run(here: Here, status: str, health: str, said: str) -> None:
    here.engine.container("db")
    here.engine.container("web", status, health, exit_code=137)
    found = here.look("web", "db")
    assert (found.status, found.message) == ("critical", said)
    assert found.metrics["running"] == 1 + (status == "running")


def test_without_names_what_restarts_and_what_is_paused_is_seen(here: Here) -> None:
    here.engine.container("web", "restarting")
    here.engine.container("db", "paused")
    assert here.look().message == "web is restarting; db is paused"


def test_a_container_that_is_not_there(here: Here) -> None:
    found = here.look("web")
    assert (found.status, found.message) == ("critical", "there is no container web")


def test_one_that_is_restarted_again_and_again(here: Here) -> None:
    here.engine.container("web", restarts=5, began=timedelta(seconds=20))
    found = here.look()
    assert (found.status, found.message) == ("warning", "web was restarted 5 times, the last time lately")
    assert found.metrics["restarts[web]"] == 5
    assert here.look(restarts=6).status == "ok"
    here.engine.container("web", restarts=5, began=timedelta(hours=1))
    assert here.look().status == "ok"


def test_an_engine_that_fails_or_is_gone(tmp_path: Path) -> None:
    with docker(tmp_path) as (engine, socket):
        engine.failing = True
        found = look("docker", socket=socket)
        assert found.status == "critical"
        assert "HTTP 500" in found.message and "driver failed" in found.message
    gone = look("docker", socket=socket)
    assert (gone.status, gone.message) == ("critical", f"{socket}: Connection refused")
    assert look("docker", socket="/nowhere").message == "/nowhere: No such file or directory"


def test_only_trusted_options_reach_a_socket(here: Here) -> None:
    with pytest.raises(Forbidden, match="set up on this machine"):
        build("docker", {"socket": here.socket}).check()
