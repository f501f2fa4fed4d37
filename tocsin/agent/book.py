"""What a spool keeps about itself: its id, the numbers it has given out, what it had to drop."""

import hashlib
import socket
from pathlib import Path
from typing import Final

import msgspec

from tocsin.agent import files
from tocsin.core.ids import new_id

NAME: Final = "spool.json"
AHEAD: Final = 16  # numbers set aside at once, as each time costs a write to the disk
_MACHINE_ID: Final = Path("/etc/machine-id")


class Dropped(msgspec.Struct):
    """How many results were dropped since the spool began, and how many files could not be read."""

    steady: int = 0
    transition: int = 0
    unreadable: int = 0


class Book(msgspec.Struct):
    """``dropping`` names files that are counted already and must go, should it end before they are gone."""

    id: str
    machine: str
    reserved: int = 0
    dropped: Dropped = msgspec.field(default_factory=Dropped)
    dropping: list[str] = []

    def save(self, folder: Path) -> None:
        """Write it. Raises OSError."""
        files.write(folder / NAME, msgspec.json.encode(self))


def opened(folder: Path) -> Book:
    """A spool's book. A new one begins where there is none, none that can be read, or a copied one.

    Numbers count for one id only: a copy that went on with both would have its rounds taken for known ones.
    """
    machine = _machine()
    try:
        book = msgspec.json.decode((folder / NAME).read_bytes(), type=Book)
    except FileNotFoundError:
        return Book(new_id(), machine)
    except (OSError, msgspec.DecodeError):
        return Book(new_id(), machine, dropped=Dropped(unreadable=1))
    if book.machine != machine:
        book = Book(new_id(), machine, book.reserved, book.dropped, book.dropping)
    return book


def _machine() -> str:
    try:
        own = _MACHINE_ID.read_text().strip()
    except OSError:
        own = ""
    return hashlib.sha256(f"{own} {socket.gethostname()}".encode()).hexdigest()[:16]
