"""SQLite's write-ahead log, folded back into the database file off the hot path."""

from django.db import connection

from tocsin.db import bulk


def checkpoint() -> None:
    """Fold what can be folded without making anybody wait; nothing to do on other databases."""
    if not bulk.is_sqlite():
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
