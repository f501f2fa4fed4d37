"""One process at a time, of any number on any machines."""

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, connection
from django.db.models import Model

from tocsin.db import bulk

POLL_SECONDS: Final = 0.002
# These outlive transactions, and end with the connection at the latest.
_LOCKS: Final = {
    "postgresql": ("SELECT pg_advisory_lock(%s)", "SELECT pg_advisory_unlock(%s)"),
    "mysql": (
        "SELECT GET_LOCK(CONCAT(%s, MD5(DATABASE())), 3600)",
        "SELECT RELEASE_LOCK(CONCAT(%s, MD5(DATABASE())))",
    ),
}
_POSTGRES: Final = "SELECT pg_try_advisory_xact_lock(%s)"
# MySQL's named locks outlive the transaction, and so a machine that is gone. A row lock does not: here
# that of the row which stands for the model, and which nobody else has a reason to write.
_MYSQL: Final = "SELECT id FROM django_content_type WHERE id = %s FOR UPDATE NOWAIT"


@contextmanager
def in_turn(name: str) -> Iterator[None]:
    """Let one process at a time into the block, which may hold many transactions; the others wait."""
    locks = _LOCKS.get(connection.vendor)
    if locks is None:  # a file is its one machine's
        yield
        return
    given = [zlib.crc32(name.encode()) if connection.vendor == "postgresql" else name]
    bulk.fetch(locks[0], given)
    try:
        yield
    finally:
        bulk.fetch(locks[1], given)


def alone_with(model: type[Model], patience: float) -> bool:
    """Whether no other process is at work on this model. Call it in a transaction, which keeps others
    away until it ends. While there is another it waits, for ``patience`` seconds at most."""
    until = time.monotonic() + patience
    while not _taken(model):
        if time.monotonic() >= until:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _taken(model: type[Model]) -> bool:
    if connection.vendor == "postgresql":
        return bool(bulk.fetch(_POSTGRES, [zlib.crc32(model._meta.db_table.encode())])[0][0])
    if connection.vendor == "mysql":
        row = ContentType.objects.get_for_model(model).pk
        try:
            return bool(bulk.fetch(_MYSQL, [row]))
        except OperationalError:  # another has it
            return False
    return True  # SQLite's writers are one at a time
