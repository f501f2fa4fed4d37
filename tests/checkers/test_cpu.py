"""The processors, kept busy by a program of the test's own."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.checkers.looking import checker, look
from tocsin.checkers.checks.cpu import busy

SPIN = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nprint(flush=True)\nwhile True: pass"


@pytest.fixture
def busy_core() -> Iterator[int]:
    core = min(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", SPIN, str(core)], stdout=subprocess.PIPE) as spinning:
        assert spinning.stdout is not None
        spinning.stdout.readline()
        yield core
        spinning.kill()


def test_the_busiest_core_decides_where_cores_count(busy_core: int) -> None:
    found = look("cpu", per_cpu=True, samples=3, warning=50, critical=101)
    cores = [value for name, value in found.metrics.items() if name.startswith("busy_percent[")]
    assert len(cores) == found.metrics["cores"]
    assert found.metrics[f"busy_percent[{busy_core}]"] > 50
    assert found.status == "warning"
    assert f"core {cores.index(max(cores))} is {max(cores):.0f} % busy" in found.message


def test_cores_have_no_metrics_of_their_own_unless_asked_for() -> None:
    assert set(look("cpu", samples=2).metrics) == {"busy_percent", "load_1m", "cores"}


def test_many_samples_keep_within_the_timeout() -> None:
    assert look("cpu", samples=1_000, timeout=0.5).metrics["busy_percent"] >= 0


def test_a_second_look_covers_the_time_between() -> None:
    cpu = checker("cpu")
    for _ in range(2):
        assert 0 <= cpu.check().metrics["busy_percent"] <= 100


def test_busy_is_what_was_not_idle() -> None:
    assert busy([(10.0, 100.0), (0.0, 50.0)], [(15.0, 110.0), (0.0, 60.0)]) == [50.0, 0.0]
    assert busy([(10.0, 100.0)], [(9.0, 100.0)]) == [0.0], "no time has passed"
