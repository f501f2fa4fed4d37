"""A journalctl that does not end, and the options; tests/real/test_systemd.py reads a real journal."""

import json
from pathlib import Path

import pytest

from tests.checkers.looking import checker, look, program
from tocsin.checkers.checks.journal import Entry
from tocsin.checkers.running import build
from tocsin.core.errors import Misconfigured, Rejected

LINE = json.dumps({"__CURSOR": "s=1;i={}", "MESSAGE": "x" * 1_000, "SYSLOG_IDENTIFIER": "shop"})


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "journalctl", f"echo \"$@\" >>{tmp_path}/asked; exec yes '{LINE}'")
    return tmp_path


def test_a_pattern_must_be_one() -> None:
    with pytest.raises(Misconfigured, match=r"patterns: .*\(oops"):
        checker("journal", patterns=["fine", "(oops"])


def test_a_storm_is_read_in_parts(journalctl: Path) -> None:
    there = checker("journal", timeout=60)
    found = there.check()
    assert found.status == "critical"
    assert found.metrics["lines"] > 1_000
    assert found.message.endswith("; there are more, for the next look")
    there.check()
    first, second = (journalctl / "asked").read_text().splitlines()
    assert "--since=@" in first and "--after-cursor" not in first
    assert second.endswith("--after-cursor=s=1;i={}")


def test_until_it_has_read_a_line_it_reads_from_where_it_began(journalctl: Path) -> None:
    program(journalctl, "journalctl", f'echo "$@" >>{journalctl}/asked')
    keep = journalctl / "cursor"
    there = checker("journal", cursor_file=str(keep))
    assert there.check().message == "0 of 0 new lines match"
    began = keep.read_text()
    assert began.startswith("@")
    keep.write_text(f"@{int(began[1:]) - 9_000}")
    checker("journal", cursor_file=str(keep)).check()
    first, second = (journalctl / "asked").read_text().splitlines()
    assert first.endswith(f"--since={began}")
    assert second.endswith(f"--since=@{int(began[1:]) - 9_000}")


def test_one_that_says_nothing_for_too_long(journalctl: Path) -> None:
    program(journalctl, "journalctl", "exec sleep 600")
    with pytest.raises(TimeoutError, match="journalctl took longer"):
        look("journal", timeout=0.5)


def test_only_who_may_write_here_may_have_a_cursor_file(journalctl: Path) -> None:
    with pytest.raises(Rejected, match="cursor_file"):
        build("journal", {"cursor_file": str(journalctl / "cursor")}).check()


@pytest.mark.parametrize(
    ("message", "text"),
    [("plain", "plain"), ([99, 97, 102, 195, 169], "café"), ([255, 33], "\N{REPLACEMENT CHARACTER}!"),
     (None, ""), (["twice", "told"], "twice told")],
)  # fmt: skip
def test_messages_come_in_several_forms(message: str | list[object] | None, text: str) -> None:
    assert Entry("s=1", message).text == text
