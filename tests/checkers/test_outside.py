"""Programs that checkers run: how they are bounded, whatever they do."""

import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.installed import require
from tocsin.checkers.outside import program, run

PATIENCE = 20.0


def test_what_a_program_says() -> None:
    said = run("sh", "-c", "echo out; echo err >&2; exit 3", seconds=PATIENCE)
    assert (said.code, said.out, said.err, said.cut) == (3, "out\n", "err\n", False)
    assert said.require(0, 3) == "out\n"
    with pytest.raises(RuntimeError, match="^err$"):
        said.require()
    with pytest.raises(RuntimeError, match="^ended with 1$"):
        run("false", seconds=PATIENCE).require()


def test_no_shell_reads_the_arguments() -> None:
    assert run("echo", "$HOME; `id` *", seconds=PATIENCE).out == "$HOME; `id` *\n"


def test_one_that_says_too_much_is_stopped() -> None:
    said = run("yes", seconds=PATIENCE, limit=1_000)
    assert (said.code, said.out, said.cut) == (0, "y\n" * 500, True)


def test_one_that_complains_too_much_is_stopped() -> None:
    said = run("sh", "-c", "yes >&2", seconds=PATIENCE, limit=1_000)
    assert (len(said.err), said.cut) == (1_000, True)


def test_one_that_takes_too_long_ends_with_all_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(TimeoutError, match="^sh took longer than 0.5 s$"):
        run("sh", "-c", f"sleep 600 & echo $! >{pid}; wait", seconds=0.5)
    child, until = int(pid.read_text()), time.monotonic() + PATIENCE
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_one_that_closes_its_output_and_stays_is_not_waited_for() -> None:
    with pytest.raises(TimeoutError):
        run("sh", "-c", "exec >&- 2>&-; sleep 600", seconds=0.5)


def test_it_reads_nothing_and_speaks_english() -> None:
    told = f"{sys.executable} -c 'import os, sys; print(sys.stdin.read(), os.environ[\"LC_ALL\"])'"
    assert run("sh", "-c", told, seconds=PATIENCE).out.strip().startswith("C")


def test_bytes_that_are_no_text() -> None:
    assert run("printf", r"\377", seconds=PATIENCE).out == "\N{REPLACEMENT CHARACTER}"


def test_programs_are_found_where_services_do_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    require("/usr/bin/env")
    monkeypatch.setenv("PATH", "/nowhere")
    assert program("env") in ("/usr/bin/env", "/bin/env")
    assert program("tocsin-no-such-program") is None
