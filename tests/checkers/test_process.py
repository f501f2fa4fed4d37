"""Processes: real ones, and a real zombie."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.checkers.looking import checker, look
from tests.installed import require

NAME = "tocsin-sleeps-a-while"  # longer than the 15 characters that the kernel keeps


@pytest.fixture
def sleep(tmp_path: Path) -> Path:
    return Path(shutil.copy(require("sleep"), tmp_path / NAME))


@contextmanager
def running(program: Path, times: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(times):
            process = stack.enter_context(subprocess.Popen([program, "600"]))
            stack.callback(process.kill)
        yield


@pytest.fixture
def zombie(tmp_path: Path) -> Iterator[str]:
    """A child that has ended, and that nobody has asked after."""
    program = shutil.copy(require("true"), tmp_path / "tocsin-ended")
    child = subprocess.Popen([program])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    yield "tocsin-ended"
    child.wait()


def test_a_program_that_must_run(sleep: Path) -> None:
    found = look("process", names=[NAME])
    assert (found.status, found.message) == ("critical", f"{NAME} does not run")
    with running(sleep, 1):
        found = look("process", names=[NAME], zombies_warning=None, zombies_critical=None)
        assert (found.status, found.metrics[f"running[{NAME}]"]) == ("ok", 1)
        assert found.message.endswith(f"{NAME} runs once")
        assert found.metrics[f"memory_percent[{NAME}]"] > 0


def test_too_few_and_too_many(sleep: Path) -> None:
    with running(sleep, 2):
        few = look("process", names=[NAME], min=3)
        assert (few.status, few.message) == ("critical", f"{NAME} runs 2 times, 3 wanted")
        many = look("process", names=[NAME], min=0, max=1)
        assert (many.status, many.message) == ("warning", f"{NAME} runs 2 times, at most 1 wanted")


def test_a_script_goes_by_the_name_it_is_called(tmp_path: Path) -> None:
    with subprocess.Popen(["tocsin-told", "600"], executable=require("sleep")) as process:
        assert look("process", names=["tocsin-told"]).metrics["running[tocsin-told]"] == 1
        process.kill()


def test_zombies_and_who_left_them(zombie: str) -> None:
    found = look("process", zombies_warning=1)
    assert found.status == "warning"
    assert found.metrics["zombies"] >= 1
    assert psutil.Process(os.getpid()).name() in found.message
    assert look("process", zombies_warning=None, zombies_critical=None).status == "ok"


def test_a_zombie_does_not_run(zombie: str) -> None:
    assert look("process", names=[zombie]).metrics[f"running[{zombie}]"] == 0


def test_processes_in_all() -> None:
    assert look("process", total_warning=1).status == "warning"
    assert look("process", total_warning=1, total_critical=2).status == "critical"


def test_what_a_program_takes(sleep: Path) -> None:
    with running(sleep, 1):
        assert look("process", names=[NAME], memory_warning=0).status == "warning"
        assert look("process", names=[NAME], memory_critical=99).status == "ok"
        there = checker("process", names=[NAME], cpu_critical=50)
        for _ in range(2):
            assert there.check().metrics[f"cpu_percent[{NAME}]"] < 50


def test_a_program_that_keeps_a_core_busy(tmp_path: Path) -> None:
    spin = shutil.copy(require("bash"), tmp_path / "tocsin-spins")
    with subprocess.Popen([spin, "-c", "echo; while :; do :; done"], stdout=subprocess.PIPE) as spinning:
        assert spinning.stdout is not None
        spinning.stdout.readline()
        there = checker("process", names=["tocsin-spins"], cpu_warning=0.5)
        there.check()
        used = psutil.Process(spinning.pid).cpu_times().user
        while psutil.Process(spinning.pid).cpu_times().user < used + 0.1:
            pass
        found = there.check()
        spinning.kill()
    assert found.status == "warning"
    assert "of a core busy" in found.message
