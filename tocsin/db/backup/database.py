"""What each kind of database can do for a backup."""

import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tocsin.core.errors import Rejected, Unavailable


class Database(ABC):
    """The one this installation uses."""

    kind: ClassVar[str]
    file: ClassVar[str]  # its copy's name in an archive

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Where a copy can be put so that it can be moved into place."""

    @abstractmethod
    def save(self, copy: Path) -> None:
        """Write a copy as of one moment, while others go on writing."""

    @abstractmethod
    def filled(self) -> bool:
        """Whether there are tables in it."""

    @abstractmethod
    def others(self) -> int:
        """How many connections besides ours it has, as far as can be told."""

    @abstractmethod
    def check(self, copy: Path) -> None:
        """Raise Rejected where a copy is not whole."""

    @abstractmethod
    def replace(self, copy: Path) -> None:
        """Have the copy's content instead of what is there: all of it or, where that fails, nothing."""


def program(*names: str, package: str) -> str:
    """The first of these that is installed. Raises Unavailable, which says what to install."""
    for name in names:
        if found := shutil.which(name):
            return found
    raise Unavailable(f"{names[0]} is not installed: install the package {package}")


def run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a program to its end. Raises Unavailable with what it said."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise Unavailable(f"{Path(command[0]).name} failed: {said}")


def expect_ends(copy: Path, begins: bytes, ends: bytes) -> None:
    """Raise Rejected where a dump lacks its first or its last words."""
    with copy.open("rb") as dump:
        head = dump.read(4096)
        dump.seek(max(0, copy.stat().st_size - 4096))
        if begins not in head or ends not in dump.read():
            raise Rejected("the copy of the database is not whole: its first or its last words are missing")
