"""What the hub may have run, by the agent's own word, and which values it may give."""

from pathlib import Path

import pytest

from tocsin.agent import allowed, settings
from tocsin.agent.allowed import Allowed
from tocsin.core.errors import Misconfigured, Rejected

HUB = 'hub = "https://hub.example.com"\n'


def command(*argv: str, **patterns: str) -> Allowed:
    return Allowed("it", argv, 60.0, patterns, "")


def read(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "agent.toml"
    path.write_text(HUB + text)
    return settings.read(path)


def test_values_are_put_whole_or_within(tmp_path: Path) -> None:
    found = command("systemctl", "restart", "{unit}", "--job={unit}.{number}", unit="[a-z]+", number="[0-9]+")
    line = found.line({"unit": "nginx", "number": "7"})
    assert line == ["systemctl", "restart", "nginx", "--job=nginx.7"]


def test_a_value_that_looks_like_a_place_is_none() -> None:
    found = command("echo", "{a}", "{b}", a=".*", b=".*")
    assert found.line({"a": "{b}", "b": "{a}"}) == ["echo", "{b}", "{a}"]


def test_no_shell_reads_what_is_given() -> None:
    hostile = "; rm -rf / && $(id) `id` | cat > x * ~ \"'\\"
    assert command("echo", "{a}", a=".*").line({"a": hostile}) == ["echo", hostile]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("nginx2", "does not match"),
        ("", "does not match"),
        ("nginx\n", "line's end"),
        ("nginx\0", "line's end"),
        ("nginx\x1b[2J", "line's end"),
        ("nginx\u2028", "line's end"),
        ("\ud800", "line's end"),
        ("n" * 1_001, "longer than"),
        ("nginx; id", "does not match"),
        ("xnginx", "does not match"),
    ],
)
def test_a_value_must_match_from_end_to_end(value: str, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        command("systemctl", "restart", "{unit}", unit="nginx|php").line({"unit": value})


def test_a_pattern_that_takes_all_takes_no_line_ends() -> None:
    for value in ("a\nb", "a\r", "\n"):
        with pytest.raises(Rejected, match="line's end"):
            command("echo", "{a}", a=r"(?s).*").line({"a": value})


@pytest.mark.parametrize(
    ("argv", "given", "refused"),
    [
        (("{a}",), {"a": "--config=/tmp/x"}, True),
        (("{a}{b}",), {"a": "", "b": "-x"}, True),
        (("--level={a}",), {"a": "-1"}, False),
        (("-{a}",), {"a": "-"}, False),
        (("x{a}",), {"a": "-1"}, False),
    ],
)
def test_no_value_becomes_an_option(argv: tuple[str, ...], given: dict[str, str], refused: bool) -> None:
    found = command("tool", *argv, **dict.fromkeys(given, ".*"))
    if not refused:
        assert len(found.line(given)) == 2
        return
    with pytest.raises(Rejected, match="read as an option"):
        found.line(given)


@pytest.mark.parametrize("given", [{}, {"unit": "a", "more": "b"}, {"Unit": "a"}])
def test_the_arguments_are_those_and_no_others(given: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="its arguments are: unit"):
        command("x", "{unit}", unit=".*").line(given)


def test_patterns_cannot_hold_the_agent_up() -> None:
    """One that takes Python's own engine longer than the universe."""
    with pytest.raises(Rejected, match="does not match"):
        command("x", "{a}", a="(a+)+b").line({"a": "a" * 1_000})


def test_tables_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(
        tmp_path,
        '[commands.restart]\nargv = ["systemctl", "restart", "{unit}"]\ntimeout = 90\n'
        'description = "Restart a service"\n[commands.restart.arguments]\nunit = "nginx"\n'
        '[commands.clean]\nargv = ["/usr/local/bin/clean"]\n',
        monkeypatch,
    )
    assert [*found.commands] == ["restart", "clean"]
    assert str(found.commands["restart"]) == "restart: systemctl restart '{unit}', unit as nginx, 90 s"
    assert found.commands["clean"].timeout == 60
    assert not read(tmp_path, "", monkeypatch).commands


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("commands = 3", "commands: expected tables"),
        ('[commands]\nx = "y"', "commands: expected tables"),
        ("[commands.x]", r"\[commands.x\]: .*argv"),
        ("[commands.x]\nargv = []", "expected a program"),
        ('[commands.x]\nargv = "ls -l"', "Expected `array`"),
        ('[commands.x]\nargv = ["ls", 3]', "Expected `str`"),
        ('[commands.x]\nargv = ["ls"]\nshell = true', "shell"),
        ('[commands."../x"]\nargv = ["ls"]', "a name is of"),
        ('[commands.x]\nargv = ["{a}"]\n[commands.x.arguments]\na = ".*"', "not for the hub to say"),
        ('[commands.x]\nargv = ["ls", "{unti}"]\n[commands.x.arguments]\nunit = ".*"', "{unti} is not among"),
        ('[commands.x]\nargv = ["ls"]\n[commands.x.arguments]\nunit = ".*"', "argv has no {unit}"),
        ('[commands.x]\nargv = ["ls", "{a}"]\n[commands.x.arguments]\na = "("', "is no pattern"),
        (f'[commands.x]\nargv = ["ls", "{{a}}"]\narguments = {{a = "{"x" * 2_001}"}}', "up to 2000 char"),
        ('[commands.x]\nargv = ["ls"]\ntimeout = 0', "timeout: expected seconds"),
        ('[commands.x]\nargv = ["ls", "\\u0000"]', "NUL"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Misconfigured, match=said):
        read(tmp_path, text, monkeypatch)


def test_there_is_an_end_to_them(tmp_path: Path) -> None:
    tables = {f"c{number}": {"argv": ["ls"]} for number in range(allowed.MOST + 1)}
    with pytest.raises(Misconfigured, match="more than"):
        allowed.read(tables, tmp_path)
