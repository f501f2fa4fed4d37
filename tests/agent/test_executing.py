"""One command as a process: its end, its time, its output, and what it is given."""

import os
import sys
import time
from pathlib import Path

import psutil

from tocsin.agent.executing import MOST_OUTPUT, Ended, execute


def run(*line: str, timeout: float = 20.0) -> Ended:
    return execute(line, timeout, lambda: False)


def sh(script: str, timeout: float = 20.0) -> Ended:
    return run("/bin/sh", "-c", script, timeout=timeout)


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def test_its_exit_code_and_all_it_says_are_told() -> None:
    ended = sh("echo out; echo err >&2; exit 3")
    assert (ended.state, ended.exit_code, ended.output, ended.reason) == ("done", 3, "out\nerr\n", "")
    assert 0 <= ended.took_seconds < 20


def test_it_is_given_nothing_of_ours() -> None:
    os.environ["TOCSIN_TEST_SECRET"] = "x"
    try:
        told = run(
            sys.executable, "-c", "import os, sys; print(sorted(os.environ), os.getcwd(), sys.stdin.read())"
        ).output
    finally:
        del os.environ["TOCSIN_TEST_SECRET"]
    assert told == "['LC_ALL', 'PATH'] / \n"


def test_arguments_arrive_as_they_are() -> None:
    hostile = ["; id", "$(id)", "a b", "*", "'\"", "-x", "ä\N{SNOWMAN}"]
    ended = run(sys.executable, "-c", "import sys; print(sys.argv[1:])", *hostile)
    assert ended.output == f"{hostile}\n"


def test_its_time_over_all_of_its_group_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ended = sh(f"trap '' TERM; sleep 60 & echo $! $$ > {pids}; echo begun; wait; sleep 60", timeout=1)
    assert (ended.state, ended.exit_code, ended.output) == ("failed", None, "begun\n")
    assert ended.reason == "it took longer than 1 s"
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_of_much_output_the_end_is_kept() -> None:
    program = f"import sys; sys.stdout.write('a' * {5 * MOST_OUTPUT}); sys.stdout.write('the end')"
    ended = run(sys.executable, "-c", program)
    assert ended.state == "done"
    assert ended.output.startswith("…a") and ended.output.endswith("athe end")
    assert len(ended.output.encode()) == MOST_OUTPUT + len("…".encode())


def test_one_that_never_stops_talking_is_ended_by_its_time() -> None:
    ended = sh("yes", timeout=1)
    assert ended.state == "failed" and ended.output.endswith("y\ny\n")


def test_output_that_is_no_text_does_no_harm() -> None:
    ended = sh(r"printf 'a\000b\377c'")
    assert ended.output == "a\ufffdb\ufffdc"


def test_what_it_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    ended = sh(f"sleep 60 & echo $! > {pid}; echo started")
    try:
        assert (ended.state, ended.output) == ("done", "started\n")
        assert ended.took_seconds < 20
        assert psutil.pid_exists(int(pid.read_text()))
    finally:
        psutil.Process(int(pid.read_text())).kill()


def test_closing_its_output_is_not_its_end() -> None:
    ended = sh("exec >&- 2>&-; sleep 0.3; exit 4")
    assert (ended.state, ended.exit_code) == ("done", 4)


def test_a_signal_is_a_failure() -> None:
    ended = sh("kill -9 $$")
    assert (ended.state, ended.reason) == ("failed", "it was ended by signal 9")


def test_what_cannot_be_started_is_told() -> None:
    for line in (["/nonexistent/program"], ["/etc/passwd"], ["/bin/echo", "x" * 3_000_000]):
        ended = run(*line)
        assert ended.state == "failed" and ended.reason.startswith("it cannot be started: ")


def test_it_ends_with_the_agent(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    ended = execute(["/bin/sh", "-c", f"echo $$ > {pid}; exec sleep 60"], 60, pid.exists)
    assert (ended.state, ended.reason) == ("interrupted", "the agent was stopped")
    assert gone(int(pid.read_text()))
