"""A real Redis: memory, replication, saving, passwords, TLS; and one that stops."""

import socket
import time
from pathlib import Path

import pytest

from tests.checkers.authority import Authority
from tests.checkers.looking import checker, look
from tests.checkers.servers import redis
from tests.fakes.receiver import Receiver
from tests.processes import free_port
from tocsin.checkers.running import build
from tocsin.core.errors import Forbidden, Rejected

pytestmark = pytest.mark.real


def _tell(port: int, *words: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall((" ".join(words) + "\r\n").encode())
        return connection.recv(65_536)


def test_one_that_runs_and_is_stopped(tmp_path: Path) -> None:
    with redis(tmp_path) as port:
        asking = checker("redis", port=port)
        found = asking.check()
        assert found.status == "ok"
        assert found.message.endswith("1 clients, role master")
        assert found.metrics["used_bytes"] > 100_000
        assert "used_percent" not in found.metrics, "it has no maxmemory"
    gone = asking.check()
    assert (gone.status, gone.message) == ("critical", f"127.0.0.1:{port}: Connection refused")


def test_memory_of_maxmemory(tmp_path: Path) -> None:
    with redis(tmp_path, "--maxmemory", "100mb") as port:
        found = look("redis", port=port)
        assert found.status == "ok"
        assert 0 < found.metrics["used_percent"] < 50
        full = look("redis", port=port, warning=0, critical=101)
        assert (full.status, "memory is " in full.message) == ("warning", True)
        assert look("redis", port=port, warning=0, critical=0).status == "critical"


def test_passwords(tmp_path: Path) -> None:
    with redis(tmp_path, "--requirepass", "s3cret") as port:
        _tell(port, "AUTH s3cret\r\nACL SETUSER tocsin on >other ~* +@all\r\nPING")
        assert look("redis", port=port, password="s3cret").status == "ok"
        assert look("redis", port=port, username="tocsin", password="other").status == "ok"
        with pytest.raises(Rejected, match="PING: NOAUTH"):
            look("redis", port=port)
        with pytest.raises(Rejected, match="AUTH: WRONGPASS") as told:
            look("redis", port=port, password="wr0ng")
        assert "wr0ng" not in str(told.value)


def test_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    both, port = str(authority.issue("127.0.0.1")), free_port()
    options = [
        "--tls-port", str(port), "--tls-cert-file", both, "--tls-key-file", both,
        "--tls-ca-cert-file", str(authority.file), "--tls-auth-clients", "no",
    ]  # fmt: skip
    with redis(tmp_path, *options):
        assert look("redis", port=port, tls=True, ca_file=str(authority.file)).status == "ok"
        refused = look("redis", port=port, tls=True)
        assert (refused.status, "certificate not trusted" in refused.message) == ("critical", True)


def test_a_replica_whose_primary_is_gone(tmp_path: Path) -> None:
    with redis(tmp_path) as primary, redis(tmp_path, "--replicaof", f"127.0.0.1 {primary}") as port:
        asking, deadline = checker("redis", port=port), time.monotonic() + 20
        while asking.check().status != "ok":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert asking.check().message.endswith("role slave")
        _tell(primary, "SHUTDOWN", "NOSAVE")
        deadline = time.monotonic() + 20
        while (found := asking.check()).status == "ok":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (found.status, found.message) == ("critical", "its link to its primary is down")


def test_snapshots_that_fail(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with redis(folder, "--dbfilename", "dump.rdb") as port:
        (folder / "dump.rdb").mkdir()  # where the snapshot is to be moved to
        _tell(port, "SET", "a", "b")
        _tell(port, "BGSAVE")
        deadline = time.monotonic() + 20
        while (found := look("redis", port=port)).status == "ok":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (found.status, found.message) == ("warning", "its last snapshot failed")


def test_what_is_no_redis(receiver: Receiver) -> None:
    found = look("redis", port=receiver.port)
    assert found.status == "critical"
    assert "it does not speak Redis' protocol" in found.message


def test_only_trusted_options_reach_this_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    with pytest.raises(Forbidden):
        build("redis").check()
