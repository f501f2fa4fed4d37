"""``tocsin docs``: the reference pages, for this installation with its plug-ins."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tocsin.web import reference


class Command(BaseCommand):
    help = "Write the reference of settings, commands and plug-ins into a folder, as Markdown."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="where to; files of the same names are replaced")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in reference.pages().items():
            (folder / name).write_text(text)
            self.stdout.write(str(folder / name))
