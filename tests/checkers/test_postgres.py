"""A real PostgreSQL, its standby, its deadlocks; and one that stops."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from tests.checkers.authority import Authority
from tests.checkers.looking import checker, look
from tests.checkers.servers import listens, running
from tests.databases import postgres
from tests.installed import require
from tests.processes import free_port
from tocsin.checkers.running import Runner, build
from tocsin.core.errors import Forbidden, Misconfigured

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


def test_how_it_does(server: str) -> None:
    found = look("postgres", dsn=server)
    assert found.status == "ok"
    assert found.message == "1 of 100 connections are used"
    assert (found.metrics["used_percent"], found.metrics["connections"]) == (1, 1)
    assert "replication_lag_seconds" not in found.metrics, "it has no standby"
    assert look("postgres", dsn=server, warning=1).status == "warning"
    assert look("postgres", dsn=server, warning=0, critical=1).status == "critical"


def test_a_transaction_that_stays_open(server: str) -> None:
    with psycopg.connect(server) as connection:
        connection.execute("SELECT 1")
        found = look("postgres", dsn=server, transaction_warning=0)
    assert found.status == "warning"
    assert found.message.startswith("a transaction has been open for ")
    assert found.metrics["longest_transaction_seconds"] > 0


def _deadlock(server: str) -> None:
    """Two transactions that wait for each other."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS pair (id int PRIMARY KEY, n int)")
        connection.execute("INSERT INTO pair VALUES (1, 0), (2, 0) ON CONFLICT DO NOTHING")
    both = threading.Barrier(2)

    def change(first: int, then: int) -> None:
        with suppress(psycopg.errors.DeadlockDetected), psycopg.connect(server) as connection:
            connection.execute("SET deadlock_timeout = '50ms'")
            connection.execute("UPDATE pair SET n = n + 1 WHERE id = %s", [first])
            both.wait(10)
            connection.execute("UPDATE pair SET n = n + 1 WHERE id = %s", [then])

    threads = [threading.Thread(target=change, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_deadlocks_between_two_looks(server: str) -> None:
    asking = checker("postgres", dsn=server, deadlocks_warning=0.001, deadlocks_critical=1e9)
    assert "deadlocks_per_minute" not in asking.check().metrics, "it has nothing to compare with"
    assert asking.check().metrics["deadlocks_per_minute"] == 0
    _deadlock(server)
    deadline = time.monotonic() + 20
    while (found := asking.check()).status == "ok":  # the server counts with some delay
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert found.status == "warning"
    assert "deadlocks a minute" in found.message


@contextmanager
def standby(primary: str) -> Iterator[str]:
    """A server that follows another; gives its URL."""
    program = Path(require("/usr/lib/postgresql/*/bin/postgres", "postgres"))
    folder = Path(tempfile.mkdtemp(prefix="tocsin-standby-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data, port = folder / "data", free_port()
    try:
        copy = [
            *as_user,
            str(program.with_name("pg_basebackup")),
            "-d",
            primary,
            "-D",
            str(data),
            "-R",
            "-X",
            "stream",
        ]
        subprocess.run([*copy, "--checkpoint=fast"], check=True, capture_output=True, cwd=folder)
        command = [
            *as_user,
            str(program),
            "-D",
            str(data),
            "-p",
            str(port),
            "-h",
            "127.0.0.1",
            "-k",
            str(folder),
        ]
        with running(command, lambda: listens(port)):
            yield f"postgres://tocsin@127.0.0.1:{port}/tocsin"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 20
    while look("postgres", dsn=url).status != "ok":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_standby_that_falls_behind(server: str) -> None:
    with standby(server) as url:
        _wait_until_ready(url)
        assert look("postgres", dsn=url).metrics["replication_lag_seconds"] == 0
        with (
            psycopg.connect(server, autocommit=True) as here,
            psycopg.connect(url, autocommit=True) as there,
        ):
            here.execute("CREATE TABLE written (n int)")
            deadline = time.monotonic() + 20
            while there.execute("SELECT to_regclass('written')").fetchone() == (None,):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            there.execute("SELECT pg_wal_replay_pause()")
            here.execute("INSERT INTO written VALUES (1)")
        asking, deadline = (
            checker("postgres", dsn=url, lag_warning=0.001, lag_critical=1e9),
            time.monotonic() + 20,
        )
        while (found := asking.check()).status == "ok":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert found.status == "warning"
        assert "replication lags" in found.message
        lag = look("postgres", dsn=server).metrics.get("replication_lag_seconds")
        assert lag is None or lag >= 0, "the primary tells it too, once the standby has reported"


def test_one_that_is_stopped() -> None:
    with postgres() as url:
        asking = checker("postgres", dsn=url)
        assert asking.check().status == "ok"
    gone = asking.check()
    assert gone.status == "critical"
    assert "Connection refused" in gone.message


def test_one_that_refuses(server: str) -> None:
    url = server.replace("tocsin@", "nobody:s3cret@")
    found = look("postgres", dsn=url)
    assert found.status == "critical"
    assert 'role "nobody" does not exist' in found.message
    assert "s3cret" not in found.message


def test_starttls_and_its_certificate(tmp_path: Path) -> None:
    """Servers begin without TLS here too; the certificate is checked by ``tls``."""
    authority = Authority(tmp_path)
    pem = authority.issue("127.0.0.1", days=30.5)
    with postgres() as url, psycopg.connect(url, autocommit=True) as connection:
        none = look("tls", hosts=[url.rpartition("@")[2].partition("/")[0]], starttls="postgres")
        assert (none.status, "the server has no TLS" in none.message) == ("critical", True)
        (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        place = Path(folder) / "server.pem"
        shutil.copy(pem, place)
        place.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(place, "postgres")
        connection.execute("ALTER SYSTEM SET ssl_cert_file = 'server.pem'")
        connection.execute("ALTER SYSTEM SET ssl_key_file = 'server.pem'")
        connection.execute("ALTER SYSTEM SET ssl = on")
        connection.execute("SELECT pg_reload_conf()")
        asked = {"hosts": [url.rpartition("@")[2].partition("/")[0]], "starttls": "postgres"}
        deadline = time.monotonic() + 20
        while (found := look("tls", **asked, ca_file=str(authority.file))).status != "ok":
            assert time.monotonic() < deadline, found.message
            time.sleep(0.1)
        assert "30 more days" in found.message


def test_what_is_no_dsn_is_not_repeated() -> None:
    found = Runner({"it": build("postgres", {"dsn": "s3cret words"}, trusted=True)}).run()[0]
    assert (found.status, found.message) == ("unknown", "Misconfigured: dsn is no connection string")
    with pytest.raises(Misconfigured, match="postgres: dsn: Field required"):
        build("postgres")


def test_only_trusted_options_reach_this_network(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    for dsn in (server, "host=/run/postgresql", "dbname=x", "host=example.com hostaddr=127.0.0.1"):
        with pytest.raises(Forbidden):
            build("postgres", {"dsn": dsn}).check()
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "127.0.0.0/8")
    assert build("postgres", {"dsn": server}).check().status == "ok"
