"""``tocsin-agent.pyz``: built here, and run in an empty directory without anything else."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.fakes.hub import Hub
from tests.installed import lacking

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
LOAD_ALL = """
import sys
sys.path.insert(0, sys.argv[1])
from tocsin.checkers.checks import checkers
from tocsin.checkers.running import build
names = checkers.names()
for name in names:
    checkers.get(name)
assert len(names) > 10 and build("cpu").check().status
assert not {"django", "structlog", "rich"} & set(sys.modules)
assert all(sys.argv[1] in m.__file__ for n, m in sys.modules.items() if n.startswith("tocsin"))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("dist") / "tocsin-agent.pyz"
    command = [sys.executable, str(ROOT / "deploy" / "agent" / "build.py"), "--output", str(built)]
    subprocess.run(command, check=True, capture_output=True)
    return built


class Alone:
    """An empty directory, an empty environment, and a Python without packages."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file, self.folder = file, folder
        self.environment = {
            "PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(folder / "cache"),
            "TOCSIN_DATA_DIR": str(folder / "data"),
        }  # fmt: skip

    @property
    def command(self) -> list[str]:
        python = os.path.realpath(sys.executable)
        return ["env", "-i", *(f"{n}={v}" for n, v in self.environment.items()), python, "-S", str(self.file)]

    @property
    def unpacked(self) -> list[Path]:
        return list((self.folder / "cache" / "tocsin-agent").iterdir())

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        self.environment |= environment
        return subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip


@pytest.fixture
def alone(built: Path, tmp_path: Path) -> Alone:
    return Alone(built, tmp_path)


def test_it_checks_and_sends(alone: Alone, hub: Hub) -> None:
    done = alone.run("push_to_hub", HUB_URL=hub.url)
    assert done.returncode == 0, done.stderr
    assert {"cpu", "disk", "memory"} <= {alert["check"] for alert in hub.applied}
    assert alone.run("agent", "--once").returncode == 0
    assert len(hub.rounds) == 2


def test_it_enrols(alone: Alone, hub: Hub) -> None:
    done = alone.run("enroll", "--hub", hub.url, "--token", "good-token", "--instance-id", "web-3")
    assert done.returncode == 0, done.stderr
    assert hub.enrolments[0]["version"]


def test_it_says_what_is_missing(alone: Alone) -> None:
    done = alone.run("push_to_hub")
    assert done.returncode == 2 and "HUB_URL is not set" in done.stderr
    assert "usage: tocsin-agent" in alone.run("--help").stdout


def test_every_checker_loads_from_it_and_nothing_else(alone: Alone) -> None:
    alone.run("--version")
    python = os.path.realpath(sys.executable)
    command = ["env", "-i", python, "-S", "-c", LOAD_ALL, str(alone.unpacked[0])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_unpacks_once_for_its_user_alone(alone: Alone) -> None:
    starting = [subprocess.Popen([*alone.command, "--version"], stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait(120) for process in starting] == [0, 0, 0]
    assert len(alone.unpacked) == 1
    there = alone.unpacked[0]
    assert (there.parent.stat().st_mode & 0o777, there.stat().st_mode & 0o077) == (0o700, 0)
    before = there.stat().st_mtime_ns
    alone.run("--version")
    assert there.stat().st_mtime_ns == before and not list(there.parent.glob(".making-*"))


def test_what_others_could_write_to_is_not_run(alone: Alone) -> None:
    cache = alone.folder / "cache" / "tocsin-agent"
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    alone.environment["HOME"] = str(alone.folder / "home")
    assert alone.run("--version").returncode == 0
    assert not alone.unpacked
    assert (alone.folder / "home" / ".cache" / "tocsin-agent").is_dir()


def test_another_machine_is_told(alone: Alone, tmp_path: Path) -> None:
    other = tmp_path / "other.pyz"
    with zipfile.ZipFile(alone.file) as whole, zipfile.ZipFile(other, "w") as changed:
        first = whole.read("__main__.py").decode()
        changed.writestr("__main__.py", re.sub("(?m)^MACHINE = .*", 'MACHINE = "linux-riscv64"', first))
    alone.file = other
    done = alone.run("--version")
    assert done.returncode == 1 and "on linux-riscv64; this is Python" in done.stderr


def test_another_python_hands_over_to_the_right_one(alone: Alone, tmp_path: Path) -> None:
    other = tmp_path / "other.pyz"
    folder = tmp_path / "bin"
    folder.mkdir()
    right = folder / "python3.99"
    right.write_text("#!/bin/sh\necho handed over: $2\n")
    right.chmod(0o755)
    with zipfile.ZipFile(alone.file) as whole, zipfile.ZipFile(other, "w") as changed:
        first = whole.read("__main__.py").decode()
        changed.writestr("__main__.py", re.sub("(?m)^PYTHON = .*", 'PYTHON = "3.99"', first))
    alone.file = other
    assert alone.run("--version").returncode == 1
    assert alone.run("--version", PATH=f"{folder}:/usr/bin:/bin").stdout == "handed over: --version\n"


def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    if not Path("/usr/bin/systemd-analyze").exists():
        lacking("systemd-analyze is not installed")
    unit = (ROOT / "deploy" / "systemd" / "tocsin-agent.service").read_text()
    assert "ExecStart=/usr/local/bin/tocsin-agent.pyz agent" in unit
    copy = tmp_path / "tocsin-agent.service"
    copy.write_text(unit.replace("/usr/local/bin/tocsin-agent.pyz", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert not done.stderr.strip(), done.stderr
