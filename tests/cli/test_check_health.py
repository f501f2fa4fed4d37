"""Is this machine well?"""

from pathlib import Path

import msgspec
import pytest
from django.core.management.base import CommandError

from tests.cli.run import tocsin, tocsin_json
from tests.cli.told import Told
from tests.cli.told import told as told
from tests.program import tocsin as program
from tocsin.checkers.checks import checkers
from tocsin.checkers.management.commands.check_health import Command

STATUSES = {"ok", "warning", "critical", "unknown"}


def test_all_that_need_no_options() -> None:
    found = tocsin_json("check_health")
    assert {check["checker"] for check in found["checks"]} == {
        name for name in checkers.names() if checkers.get(name).everywhere
    }
    assert found["status"] in STATUSES
    assert found["skipped"] == []
    for check in found["checks"]:
        assert check["status"] in STATUSES and check["message"] and check["duration_ms"] > 0


def test_those_named_as_people_read_it() -> None:
    told = tocsin("check_health", "memory", "disk")
    lines = told.splitlines()
    assert lines[0].split() == ["checker", "status", "time", "found"]
    assert any(line.startswith("memory ") and "GiB available" in line for line in lines)
    assert any("used_percent" in line and " % " in line for line in lines)
    assert "cpu" not in told and "\x1b" not in told
    assert "\x1b" in tocsin("check_health", "memory", "--force-color")


def test_what_there_is() -> None:
    found = {each["name"]: each for each in tocsin_json("check_health", "--list")["checkers"]}
    assert list(found) == checkers.names()
    assert (found["cpu"]["everywhere"], found["http"]["everywhere"]) == (True, False)
    for each in found.values():
        assert each["about"].endswith("."), each["name"]
        for option in each["options"]:
            assert option["description"], f"{each['name']}: {option['name']}"
    options = {option["name"]: option for option in found["http"]["options"]}
    assert options["url"]["required"] and options["password"]["secret"]
    told = tocsin("check_health", "--list", "tls")
    assert told.splitlines()[1].startswith("tls Days until each server's certificate expires")
    assert any(line.split()[:2] == ["hosts", "required"] for line in told.splitlines())


def test_settings_skip_checkers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKERS_SKIP", "cpu,disk")
    found = tocsin_json("check_health", "cpu", "memory")
    assert ([check["checker"] for check in found["checks"]], found["skipped"]) == (["memory"], ["cpu"])
    assert "Skipped: cpu (CHECKERS_SKIP)" in tocsin("check_health", "cpu", "memory")
    assert "skipped by a setting" in tocsin("check_health", "--list", "cpu")
    monkeypatch.setenv("CHECKERS_SKIP_ALL", "1")
    assert tocsin_json("check_health")["checks"] == []
    assert "All checkers are skipped" in tocsin("check_health", "--fail-on-warning")


@pytest.mark.parametrize(("name", "said"), [
    ("nope", "there is no checker 'nope'; known: .*cpu"), ("http", "http: url: Field required"),
])  # fmt: skip
def test_what_cannot_be_run(name: str, said: str) -> None:
    with pytest.raises(CommandError, match=said) as told:
        tocsin("check_health", name)
    assert told.value.returncode == 3


def run(*arguments: str) -> int:
    """The exit code, called as from a shell."""
    try:
        Command().run_from_argv(["tocsin", "check_health", *arguments])
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code
    return 0


@pytest.mark.parametrize(("flags", "codes"), [
    ([], [0, 0, 0, 0]),
    (["--fail-on-critical"], [0, 0, 2, 0]),
    (["--fail-on-warning"], [0, 1, 2, 3]),
    (["--fail-on-critical", "--fail-on-warning"], [0, 1, 2, 3]),
])  # fmt: skip
def test_exit_codes(told: Told, flags: list[str], codes: list[int]) -> None:
    for status, code in zip(("ok", "warning", "critical", "unknown"), codes, strict=True):
        told.becomes(status)
        assert run("told", *flags) == code, status


@pytest.mark.parametrize("arguments", [["--nope"], ["nope"], ["http"]])
def test_a_call_that_is_wrong_is_unknown(arguments: list[str]) -> None:
    assert run(*arguments) == 3


def test_as_a_program(tmp_path: Path) -> None:
    """JSON alone on stdout; no database is needed."""
    done = program("check_health", "memory", "--json", data_dir=tmp_path)
    assert done.returncode == 0, done.stderr
    assert msgspec.json.decode(done.stdout)["checks"][0]["checker"] == "memory"
