"""A checker of another distribution that finds what a test tells it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.checkers.checks import checkers

PLUG_IN = """
from pathlib import Path
from tocsin.checkers.checks import BaseChecker, CheckResult, Options

class Config(Options):
    pass

class Told(BaseChecker[Config]):
    Config = Config
    def check(self):
        status = Path({file!r}).read_text()
        return CheckResult("told", status, f"it is {{status}}", {{"level": 1.0}})
"""


class Told:
    """What it is to find."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def becomes(self, status: str) -> None:
        self._file.write_text(status)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """The checker ``told``, on a machine named web-1."""
    (tmp_path / "told_checker.py").write_text(PLUG_IN.format(file=str(tmp_path / "status")))
    info = tmp_path / "told_checker-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: told-checker\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tocsin.checkers.checks]\ntold = told_checker:Told\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("INSTANCE_ID", "web-1")
    checkers.__dict__.pop("_theirs", None)  # entry points are read once
    found = Told(tmp_path / "status")
    found.becomes("ok")
    yield found
    checkers.__dict__.pop("_theirs", None)
    sys.modules.pop("told_checker", None)
