"""The shape of every command that tells something: people read it, or programs with ``--json``."""

import logging
import sys
from abc import ABC, abstractmethod
from argparse import SUPPRESS
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Generic, TypeVar, cast

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from tocsin.core import presence
from tocsin.core.errors import TocsinError
from tocsin.core.terminal import Screen

T = TypeVar("T")


class Failed(CommandError):
    """What a person reads when a command cannot do its work: what is wrong, and what to do."""


class TellingCommand(BaseCommand, ABC, Generic[T]):
    """Does its work in ``answer`` and shows what that returns in ``show``, or as one JSON document.

    ``answer`` may set ``exit_code``, for what it found rather than for not being able to look.
    """

    exit_code = 0
    requires_system_checks: list[str] = []  # they would cost more than most commands' own work

    def add_arguments(self, parser: CommandParser) -> None:
        accept_json(parser)

    @abstractmethod
    def answer(self, options: dict[str, Any]) -> T:
        """Do the work. What it returns must be plain enough for JSON. Raises TocsinError."""

    @abstractmethod
    def show(self, found: T, screen: Screen) -> None:
        """Tell it to people."""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with _quiet():
                found = self.answer(options)
        except TocsinError as error:
            raise Failed(str(error)) from error
        except DatabaseError as error:
            why = " ".join(str(error).split())
            raise Failed(
                f"the database cannot be used ({why}): see that it runs, and run tocsin migrate"
            ) from error
        if options.get("json"):
            self.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode())
        else:
            colour = False if options["no_color"] else True if options["force_color"] else None
            self.show(found, Screen(cast(IO[str], self.stdout), colour))
        if self.exit_code:
            sys.exit(self.exit_code)


def accept_json(parser: CommandParser) -> None:
    """``--json``, also behind a word such as ``list``."""
    parser.add_argument(
        "--json", action="store_true", default=SUPPRESS, help="print one JSON document and nothing else"
    )


def be_present() -> None:
    """Have it known that this process runs on the data directory. Raises Failed while one is restored."""
    try:
        presence.share()
    except TocsinError as error:
        raise Failed(str(error)) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Warnings would only repeat between the lines what the answer tells."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(max(level, logging.ERROR))
    try:
        yield
    finally:
        root.setLevel(level)
