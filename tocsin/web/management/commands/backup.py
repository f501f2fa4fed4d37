"""``tocsin backup``: all that is needed to start again, as one file."""

from pathlib import Path
from typing import Any, Final, TypedDict

from django.core.management.base import CommandParser

from tocsin.core import clock
from tocsin.core.terminal import Screen
from tocsin.db import backup
from tocsin.db.command import TellingCommand


class Saved(TypedDict):
    file: str
    bytes: int
    database: str
    keys: list[str]
    keys_elsewhere: list[str]


_NAME: Final = "tocsin-%Y-%m-%dT%H%M%SZ.tar.gz"


class Command(TellingCommand[Saved]):
    help = "Write the database and the keys of the data directory into one file, also while Tocsin runs."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "file",
            type=Path,
            nargs="?",
            help="where to, a file or a folder; a file of that name is replaced (default: here)",
        )

    def answer(self, options: dict[str, Any]) -> Saved:
        now = clock.now()
        target: Path = options["file"] or Path()
        if target.is_dir():
            target /= now.strftime(_NAME)
        manifest = backup.save(target, now)
        return {
            "file": str(target),
            "bytes": target.stat().st_size,
            "database": manifest.database,
            "keys": [name for name in backup.KEYS if name in manifest.files],
            "keys_elsewhere": [var for name, var in backup.KEYS.items() if name not in manifest.files],
        }

    def show(self, found: Saved, screen: Screen) -> None:
        screen.line(
            f"{found['file']}: {found['bytes']:,} bytes, the {found['database']} database and",
            ", ".join(found["keys"]) or "no keys",
        )
        if found["keys"]:
            screen.line("It holds the keys that decrypt it: let nobody else read it.")
        for variable in found["keys_elsewhere"]:
            screen.line(f"{variable} is set in the environment, and not in this file: keep it as well.")
