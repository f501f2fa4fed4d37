"""A restart that is due: files as Debian leaves them, kernels as packages install them."""

import os
from pathlib import Path

import pytest

from tests.checkers.looking import checker, look, program
from tocsin.checkers.checks.reboot_required import newer

REQUIRED = """Core libraries or services have been updated since boot-up:
  * glibc

Reboot is required to fully utilize these updates."""


def test_debian_asks_for_a_restart(tmp_path: Path) -> None:
    assert look("reboot_required", root=str(tmp_path)).message == "no restart is due"
    (tmp_path / "run").mkdir()
    (tmp_path / "run/reboot-required").write_text("*** System restart required ***\n")
    found = look("reboot_required", root=str(tmp_path))
    assert (found.status, found.message, found.metrics) == ("warning", "a restart is due", {"required": 1})
    (tmp_path / "run/reboot-required.pkgs").write_text("linux-base\nlibc6\nlibc6\n")
    assert look("reboot_required", root=str(tmp_path)).message == "a restart is due for libc6, linux-base"


def test_a_newer_kernel_is_installed(tmp_path: Path) -> None:
    running = os.uname().release
    (tmp_path / "boot").mkdir()
    (tmp_path / f"boot/vmlinuz-{running}").touch()
    assert look("reboot_required", root=str(tmp_path)).status == "ok"
    fresh = running.replace(running.split(".")[0], "999", 1)
    (tmp_path / f"boot/vmlinuz-{fresh}").touch()
    found = look("reboot_required", root=str(tmp_path))
    assert (found.status, found.message) == ("warning", f"kernel {fresh} is installed, {running} runs")


def test_red_hat_is_asked_once_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    program(tmp_path, "needs-restarting", f'echo "$@" >>{asked}; echo "{REQUIRED}"; exit 1')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    there = checker("reboot_required")
    for _ in range(3):
        assert there.check().message == "a restart is due for updated packages"
    assert asked.read_text() == "-r\n"


def test_red_hats_program_that_fails_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "needs-restarting", "echo Traceback >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert "updated packages" not in look("reboot_required").message


@pytest.mark.parametrize(
    ("running", "installed", "found"),
    [
        ("6.1.0-17-amd64", {"6.1.0-17-amd64", "6.1.0-18-amd64"}, "6.1.0-18-amd64"),
        ("6.1.0-18-amd64", {"6.1.0-9-amd64", "6.1.0-18-amd64"}, ""),
        ("6.8.0-45-generic", {"6.8.0-45-generic", "6.8.0-60-lowlatency"}, ""),
        (
            "5.14.0-362.el9.x86_64",
            {"5.14.0-362.el9.x86_64", "5.14.0-362.8.1.el9_3.x86_64"},
            "5.14.0-362.8.1.el9_3.x86_64",
        ),
        ("5.14.0-427.el9_4.x86_64", {"5.14.0-362.8.1.el9_3.x86_64"}, ""),
        ("6.11.5-arch1-1", {"6.11.6-arch1-1"}, "6.11.6-arch1-1"),
        ("6.1.90-firecracker", {"6.1.0-18-amd64"}, ""),
        ("6.1.0-17-amd64", set(), ""),
    ],
)
def test_kernels_are_compared_within_their_flavour(running: str, installed: set[str], found: str) -> None:
    assert newer(running, installed) == found
