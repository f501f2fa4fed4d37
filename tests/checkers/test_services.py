"""A set of checkers: one that raises or hangs is unknown, and alone in it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.notify.messages import NOON
from tocsin.checkers.checks import CheckResult, checkers, worst
from tocsin.checkers.models import CheckRun
from tocsin.checkers.services import CheckSet, enabled, record

PLUG_INS = """
import threading
from tocsin.checkers.checks import BaseChecker, CheckResult, Options

class Config(Options):
    timeout: float = 0.5

release = threading.Event()
begun = []

class Raising(BaseChecker[Config]):
    Config = Config
    def check(self):
        raise ZeroDivisionError("no luck")

class Hanging(BaseChecker[Config]):
    Config = Config
    def check(self):
        begun.append(1)
        release.wait(30)
        return CheckResult("hanging", "ok", "back again")
"""


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A distribution beside ours, whose checkers raise and hang."""
    (tmp_path / "bad_checkers.py").write_text(PLUG_INS)
    info = tmp_path / "bad_checkers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-checkers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[tocsin.checkers.checks]\nraising = bad_checkers:Raising\nhanging = bad_checkers:Hanging\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    checkers.__dict__.pop("_theirs", None)  # entry points are read once
    module = __import__("bad_checkers")
    yield module
    module.release.set()
    checkers.__dict__.pop("_theirs", None)
    del sys.modules["bad_checkers"]


def test_a_checker_that_raises_is_unknown_and_the_others_are_not(third_party: ModuleType) -> None:
    checks = CheckSet(["raising", "memory"])
    raising, memory = checks.run()
    assert (raising.checker, raising.status) == ("raising", "unknown")
    assert raising.message == "ZeroDivisionError: no luck"
    assert memory.status in ("ok", "warning", "critical")


def test_a_checker_that_hangs_is_unknown_until_it_comes_back(
    third_party: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = CheckSet(["hanging", "memory"])
    for _ in range(2):
        hanging, memory = checks.run()
        assert (hanging.status, hanging.message) == ("unknown", "no answer within 0.5 s")
        assert memory.status in ("ok", "warning", "critical")
    assert len(third_party.begun) == 1, "it is not started again while it hangs"

    third_party.release.set()
    assert checks.run()[0].message == "back again"


def test_results_that_are_too_old_are_unknown() -> None:
    checks = CheckSet(["memory"])
    assert checks.latest("t")[0].message == "the checks have not answered yet"
    checks.run()
    assert checks.latest("t")[0].status in ("ok", "warning", "critical")
    stuck = checks.latest("t", fresh_seconds=-1)[0]
    assert (stuck.status, "stuck" in stuck.message) == ("unknown", True)


def test_results_that_a_run_used_are_taken_once() -> None:
    checks = CheckSet(["memory"])
    checks.run()
    assert checks.take_used() == ([], "")
    checks.latest("trace-1")
    checks.latest("trace-2")
    assert checks.take_used() == (checks.results, "trace-1")
    assert checks.take_used() == ([], "")


def test_settings_skip_checkers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert enabled(["cpu", "memory"]) == ["cpu", "memory"]
    monkeypatch.setenv("CHECKERS_SKIP", "cpu")
    assert enabled(["cpu", "memory"]) == ["memory"]
    monkeypatch.setenv("CHECKERS_SKIP_ALL", "1")
    assert enabled(["cpu", "memory"]) == []
    empty = CheckSet()
    assert (empty.run(), empty.results) == ([], [])


def test_the_worst_counts() -> None:
    assert worst(["ok", "warning", "critical", "unknown"]) == "critical"
    assert worst(["ok", "warning", "unknown"]) == "warning"
    assert worst(["ok", "unknown"]) == "unknown"
    assert worst([]) == "ok"


@pytest.mark.django_db
def test_what_was_found_is_kept() -> None:
    record([CheckResult("disk", "warning", "/ is 90 % full", {"used_percent": 90.0})], "trace-1", NOON)
    run = CheckRun.objects.get()
    assert (run.checker, run.status, run.trace_id, run.metrics) == (
        "disk",
        "warning",
        "trace-1",
        {"used_percent": 90.0},
    )
