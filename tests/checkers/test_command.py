"""Monitoring plug-ins: Debian's own, and programs that misbehave."""

import time
from pathlib import Path

import psutil
import pytest

from tests.checkers.looking import look
from tests.fakes.receiver import Receiver
from tests.installed import require
from tests.processes import free_port
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.running import Runner, build
from tocsin.core.errors import Forbidden


def _plugin(name: str) -> str:
    return require(f"/usr/lib/nagios/plugins/{name}", f"/usr/lib64/nagios/plugins/{name}")


@pytest.mark.parametrize(
    ("code", "status"), [("0", "ok"), ("1", "warning"), ("2", "critical"), ("3", "unknown")]
)
def test_the_exit_code_is_the_status(code: str, status: str) -> None:
    found = look("command", argv=[_plugin("check_dummy"), code, "so it is"])
    assert (found.status, found.message) == (status, f"{status.upper()}: so it is")


def test_load() -> None:
    found = look("command", argv=[_plugin("check_load"), "-w", "999,999,999", "-c", "999,999,999"])
    assert found.status == "ok"
    assert found.metrics.keys() == {"load1", "load5", "load15"}


def test_a_disk() -> None:
    found = look("command", argv=[_plugin("check_disk"), "-w", "0%", "-c", "0%", "-p", "/"])
    assert found.message.startswith("DISK OK")
    assert found.metrics["value_bytes[/]"] > 2**20


def test_a_server_that_goes_away(receiver: Receiver) -> None:
    plugin = _plugin("check_http")
    here = look("command", argv=[plugin, "-H", "127.0.0.1", "-p", str(receiver.port)])
    assert here.status == "ok"
    assert 0 < here.metrics["time_seconds"] < 10
    assert here.metrics["size_bytes"] > 0
    gone = look("command", argv=[plugin, "-H", "127.0.0.1", "-p", str(free_port())])
    assert gone.status == "critical"


def _shell(script: str, **options: object) -> CheckResult:
    asking = build("command", {"argv": ["/bin/sh", "-c", script], **options}, trusted=True)
    return Runner({"command": asking}).run()[0]


@pytest.mark.parametrize(("script", "status", "message"), [
    ("echo fine; echo more", "ok", "fine"),
    ("echo 'fine | a=1'", "ok", "fine"),
    ("echo wrong >&2; exit 2", "critical", "wrong"),
    ("exit 1", "warning", "it said nothing"),
    ("echo hm; exit 4", "unknown", "exit code 4: hm"),
    ("kill -9 $$", "unknown", "signal 9: it said nothing"),
    ("head -c 100000 /dev/zero", "unknown", "it said more than 65536 bytes and was stopped"),
])  # fmt: skip
def test_what_programs_do(script: str, status: str, message: str) -> None:
    found = _shell(script)
    assert (found.status, found.message) == (status, message)


def test_arguments_reach_no_shell(tmp_path: Path) -> None:
    found = look("command", argv=["/bin/echo", "$HOME; touch", f"`touch {tmp_path}/made`"])
    assert found.message == f"$HOME; touch `touch {tmp_path}/made`"
    assert not list(tmp_path.iterdir())


def test_its_environment_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SECRET_KEY", "s3cret")
    found = _shell("env | sort | tr '\\n' ' '", environment={"TEAM": "shop"})
    assert "TEAM=shop" in found.message and "PATH=/usr/local/sbin" in found.message
    assert "s3cret" not in found.message and "HOME" not in found.message


def _ends(pid: int) -> bool:
    """Whether a process is gone, or is about to be."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def test_what_takes_too_long_ends_with_all_that_it_started(tmp_path: Path) -> None:
    found = _shell(f"sleep 600 & echo $! > {tmp_path}/pid; wait", timeout=0.5)
    assert found.status == "unknown"
    assert _ends(int((tmp_path / "pid").read_text()))


def test_what_leaves_something_behind_ends_it_too(tmp_path: Path) -> None:
    found = _shell(f"sleep 600 >&- 2>&- & echo $! > {tmp_path}/pid; echo fine")
    assert (found.status, found.message) == ("ok", "fine")
    assert _ends(int((tmp_path / "pid").read_text()))


def test_a_program_that_is_not_there() -> None:
    found = Runner({"command": build("command", {"argv": ["/nowhere"]}, trusted=True)}).run()[0]
    assert found.status == "unknown"
    assert "No such file" in found.message


def test_programs_run_for_trusted_options_only(tmp_path: Path) -> None:
    with pytest.raises(Forbidden, match="set up on this machine"):
        build("command", {"argv": ["/usr/bin/touch", f"{tmp_path}/made"]}).check()
    assert not list(tmp_path.iterdir())
