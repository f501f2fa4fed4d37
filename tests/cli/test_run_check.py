"""One checker with options of one's own, as a monitoring plug-in."""

from io import StringIO
from pathlib import Path

import msgspec
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.cli.run import tocsin
from tests.fakes.receiver import Answer, Receiver
from tests.installed import require
from tests.program import tocsin as program
from tocsin.checkers.management.commands.run_check import Command


def run(*arguments: str) -> tuple[int, str]:
    """The exit code, and what is printed."""
    out = StringIO()
    try:
        call_command("run_check", *arguments, stdout=out)
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code, out.getvalue()
    return 0, out.getvalue()


@pytest.mark.parametrize(("status", "body", "code"), [(200, b"well", 0), (500, b"well", 2), (200, b"ill", 2)])
def test_the_exit_code_is_the_status(receiver: Receiver, status: int, body: bytes, code: int) -> None:
    receiver.default = Answer(status, body)
    assert run("http", "--url", receiver.url, "--contains", "well")[0] == code


def test_options_of_each_kind(receiver: Receiver) -> None:
    code, told = run(
        "http", "--json", "--url", receiver.url, "--headers", "X-Team=shop", "--headers", "X-A=b=c",
        "--statuses", "200,204", "--statuses", "206", "--no-follow", "--warning", "0", "--critical", "1e6",
        "--timeout", "5", "--method", "POST", "--token", "t0ken",
    )  # fmt: skip
    found = msgspec.json.decode(told)
    assert (code, found["status"]) == (1, "warning")
    assert found["checks"][0]["metrics"]["status"] == 200
    (received,) = receiver.received
    assert (received.method, received.headers["x-team"], received.headers["x-a"]) == ("POST", "shop", "b=c")
    assert received.headers["authorization"] == "Bearer t0ken"


def test_lists_with_commas_and_as_json(receiver: Receiver) -> None:
    host = f"127.0.0.1:{receiver.port}"
    for given in (
        ["--hosts", f"{host}, {host}"],
        ["--hosts", f'["{host}"]'],
        ["--hosts", host, "--hosts", host],
    ):
        assert run("tcp", *given)[0] == 0
    assert run("disk", "--paths", "/,/tmp")[0] in (0, 1, 2)


def test_a_plugin_with_options_of_its_own() -> None:
    plugin = require("/usr/lib/nagios/plugins/check_dummy")
    code, told = run("command", "--timeout", "5", "--", plugin, "2", "so it is")
    assert code == 2
    assert "CRITICAL: so it is" in told


def test_help_tells_options_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        tocsin("run_check", "disk", "--help")
    assert end.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Used space" in told
    assert "--paths A,B" in told and "(default: /)" in told
    assert "--warning N" in told


@pytest.mark.parametrize(("arguments", "said"), [
    (("http", "--url", "ftp://x"), "http: url: String should match pattern"),
    (("disk", "--warning", "much"), "disk: warning: Input should be a valid number"),
    (("http", "--url", "http://x", "--headers", "nothing"), "headers: .nothing. is not of the form"),
    (("disk", "--paths", "[1"), "paths takes a,b or"),
])  # fmt: skip
def test_options_that_cannot_be(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said) as told:
        tocsin("run_check", *arguments)
    assert told.value.returncode == 3


@pytest.mark.parametrize("arguments", [("disk", "--nope"), ("nope",), (), ("http",), ("dns", "--type", "X")])
def test_a_call_that_is_wrong_is_unknown(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as end:
        Command().run_from_argv(["tocsin", "run_check", *arguments])
    assert end.value.code == 3
    said = capsys.readouterr()
    assert (said.out, "usage: tocsin run_check" in said.err) == ("", True)


def test_as_a_program(tmp_path: Path) -> None:
    """A check that raises is unknown; no database is needed."""
    done = program(
        "run_check", "json_value", "--url", "http://nobody.invalid/", "--path", "a", data_dir=tmp_path
    )
    assert done.returncode == 3
    assert "nobody.invalid" in done.stdout
