"""``tocsin restore``: what a backup holds, instead of what is here."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

from django.core.management.base import CommandParser

from tocsin.core import config
from tocsin.core.errors import Unavailable
from tocsin.core.terminal import Screen
from tocsin.db import backup
from tocsin.db.command import TellingCommand


class Restored(TypedDict):
    file: str
    made_at: datetime
    tocsin: str
    keys_elsewhere: list[str]


class Command(TellingCommand[Restored]):
    help = "Put a backup in place of an empty installation, or with --force of any, and migrate."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="what tocsin backup wrote")
        parser.add_argument("--force", action="store_true", help="replace the data that is here")

    def answer(self, options: dict[str, Any]) -> Restored:
        source: Path = options["file"]
        manifest = backup.restore(source, force=options["force"])
        _migrate()
        return {
            "file": str(source),
            "made_at": manifest.made_at,
            "tocsin": manifest.tocsin,
            "keys_elsewhere": [
                variable for name, variable in backup.KEYS.items()
                if name not in manifest.files or config.text(variable)
            ],
        }  # fmt: skip

    def show(self, found: Restored, screen: Screen) -> None:
        screen.line(f"Restored what {found['file']} holds, as of {found['made_at']:%Y-%m-%d %H:%M:%S} UTC.")
        for variable in found["keys_elsewhere"]:
            screen.line(f"{variable} must be what it was where the backup was made.")


def _migrate() -> None:
    """In a process of its own: this one has read the keys that were here before."""
    done = subprocess.run(
        [sys.executable, "-m", "tocsin", "migrate", "-v", "0", "--no-input"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(
            f"it is in place, but tocsin migrate failed: {' '.join(done.stderr.split())[-500:]}"
        )
