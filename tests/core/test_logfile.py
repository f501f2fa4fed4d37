"""Our log as files: whole lines of several processes, bounded, for us alone; what goes wrong costs lines."""

import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program import python
from tocsin.core import logfile
from tocsin.core.logfile import Appender, LogFile


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path))
    return tmp_path


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("tests", logging.WARNING, "", 0, text, (), None)


def written() -> Iterator[str]:
    for path in reversed(logfile.files()):
        if path.exists():
            yield from path.read_text().splitlines()


def test_lines_are_there_once_it_is_closed(data_dir: Path) -> None:
    log = LogFile(1_000_000)
    for number in range(1_000):
        log.emit(record(f"line {number}"))
    log.close()
    assert list(written()) == [f"line {number}" for number in range(1_000)]
    log.emit(record("too late"))
    assert log.lost == 1


def test_nobody_else_reads_them(data_dir: Path) -> None:
    before = os.umask(0)
    try:
        appender = Appender(40)
        for _ in range(10):
            appender.append(b"0123456789\n")
        appender.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(logfile.folder().stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in logfile.folder().iterdir()} == {0o600}


def test_the_oldest_go_and_the_size_is_bounded(data_dir: Path) -> None:
    appender = Appender(4_000)
    for number in range(2_000):
        appender.append(f"{number:09}\n".encode())
    appender.close()
    kept = list(written())
    assert kept == [f"{number:09}" for number in range(2_000 - len(kept), 2_000)]
    assert 300 <= len(kept) <= 400
    assert len(list(logfile.folder().glob("*.jsonl"))) == logfile.FILES


def test_several_processes_lose_and_mix_nothing(data_dir: Path) -> None:
    """Each moves on by itself or finds that another has; all lines of all are there, whole."""
    code = (
        "import sys; from tocsin.core.logfile import Appender\n"
        "appender = Appender(4_000_000)\n"
        "for number in range(3_000):\n"
        "    appender.append(f'{sys.argv[1]} {number:06} {\"x\" * 200}\\n'.encode())\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("a", "b", "c")]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    lines = list(written())
    for name in ("a", "b", "c"):
        mine = [line for line in lines if line.startswith(f"{name} ")]
        assert mine == [f"{name} {number:06} {'x' * 200}" for number in range(3_000)]
    assert len(lines) == 9_000
    assert len(list(logfile.folder().glob("tocsin.*jsonl"))) > 1


def test_a_file_that_somebody_takes_away_is_made_anew(data_dir: Path) -> None:
    appender = Appender(1_000)
    appender.append(b"one\n")
    logfile.files()[0].unlink()
    appender.append(b"two\n")
    appender.close()
    assert list(written()) == ["two"]


def test_a_link_is_not_followed(data_dir: Path, tmp_path: Path) -> None:
    logfile.folder().mkdir()
    logfile.files()[0].symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        Appender(1_000).append(b"one\n")
    assert not (tmp_path / "elsewhere").exists()


def test_a_line_that_a_full_disk_tore_spoils_no_other(data_dir: Path) -> None:
    code = """
import resource
from tocsin.core.logfile import Appender
appender = Appender(1_000_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
try: appender.append(b'a' * 2_999 + b'\\n')
except OSError as error: print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
appender.append(b'whole\\n')
appender.append(b'again\\n')
"""
    done = python(code, data_dir=data_dir)
    assert (done.returncode, done.stdout) == (0, "a line was not written whole\n"), done.stderr
    assert list(written()) == ["a" * 2_000, "whole", "again"]


def test_a_full_disk_costs_lines_and_nothing_else(data_dir: Path) -> None:
    """The limit of a file's size stands for the disk's: the system refuses to write in the same places."""
    code = """
import logging, resource
from tocsin.core import log, logfile
logfile.PAUSE_SECONDS = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
logger = log.get('tests')
for number in range(100):
    logger.warning('tests.line', number=number)
kept = next(one for one in logging.getLogger().handlers if isinstance(one, logfile.LogFile))
while kept.lost == 0: pass
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
logger.warning('tests.again')
"""
    done = python(code, data_dir=data_dir)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("tests.line") == 100, "standard error has them all"
    lines = [json.loads(line) for line in written() if _whole(line)]
    assert lines[0]["number"] == 0
    events = [line["event"] for line in lines]
    assert "tests.again" in events
    told = next(line for line in lines if line["event"] == "log.lines_lost")
    assert told["lines"] > 0


def _whole(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_a_folder_that_is_not_ours_is_survived(data_dir: Path) -> None:
    logfile.folder().write_text("in the way")
    done = python("from tocsin.core import log\nlog.get('tests').warning('tests.line')", data_dir=data_dir)
    assert (done.returncode, done.stderr.count("tests.line")) == (0, 1), done.stderr


def test_where_too_many_wait_the_newest_are_lost(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "MOST_WAITING", 0)
    log = LogFile(1_000)
    log.emit(record("one"))
    log.close()
    assert (log.lost, list(written())) == (1, [])


def test_every_process_writes_there_and_says_which_it_is(data_dir: Path) -> None:
    code = (
        "import logging; from tocsin.core import log\n"
        "log.get('tests.ours').warning('tests.line', trace_id='t-1', count=3)\n"
        "logging.getLogger('library').warning('told %s', 'this')\n"
        "log.get('tests.ours').debug('tests.too_little')\n"
    )
    done = python(code, data_dir=data_dir, LOG_LEVEL="INFO")
    ours, library = (json.loads(line) for line in written())
    assert ours.items() >= {
        "event": "tests.line", "level": "warning", "logger": "tests.ours", "trace_id": "t-1", "count": 3,
    }.items()  # fmt: skip
    assert (library["event"], library["logger"]) == ("told this", "library")
    assert ours["pid"] == library["pid"] and ours["process"]
    on_stderr = json.loads(done.stderr.splitlines()[0])
    assert on_stderr == {name: value for name, value in ours.items() if name not in ("pid", "process")}


@pytest.mark.parametrize("setting", [{"TOCSIN_LOG_MAX_BYTES": "0"}, {"TOCSIN_LOGS": "journald"}])
def test_no_files_where_none_are_wanted(setting: dict[str, str], data_dir: Path) -> None:
    python("from tocsin.core import log\nlog.get('tests').warning('x')", data_dir=data_dir, **setting)
    assert not logfile.folder().exists()


def test_secrets_are_in_neither(data_dir: Path) -> None:
    secrets = (
        "tocsin_agent_" + "a1B2" * 10, "hunter2hunter2", "s3cr3t-token-of-a-source-0123",
        "c2VjcmV0OnNlY3JldA==", "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278", "T000/B000/abcdefghijklmnop",
    )  # fmt: skip
    texts = (
        f"key {secrets[0]} is wrong", f"cannot connect to postgres://tocsin:{secrets[1]}@db.internal/tocsin",
        f"Not Found: /alerts/source/{secrets[2]}/", f"Authorization: Basic {secrets[3]}",
        f"/ping/{secrets[4]}/start", f"https://hooks.slack.com/services/{secrets[5]}",
        f"GET /v2/alerts?apiKey={secrets[2]}&limit=3",
    )  # fmt: skip
    code = (
        "import logging; from tocsin.core import log\n"
        f"for text in {texts!r}:\n"
        "    log.get('tests').warning('tests.line', error=text, shown={'inside': text})\n"
        "    logging.getLogger('library').warning('%s', text)\n"
        "    try: raise ValueError(text)\n"
        "    except ValueError: log.get('tests').exception('tests.raised')\n"
        f"log.get('tests').warning('tests.named', password={secrets[1]!r}, api_key='x', trace_id='kept')\n"
    )
    done = python(code, data_dir=data_dir)
    told = done.stderr + "\n".join(written())
    assert done.stderr.count("tests.line") == len(texts), done.stderr
    for secret in secrets:
        assert secret not in told
    for kept in ("postgres://", "db.internal/tocsin", "hooks.slack.com", "limit=3", "kept", "is wrong"):
        assert kept in told, kept
