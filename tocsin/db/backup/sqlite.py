"""SQLite: one file, copied by SQLite itself and moved into place."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from django.db import connection, connections

from tocsin.core.archive import sync_folder
from tocsin.core.errors import Rejected, Unavailable
from tocsin.db.backup.database import Database


class SQLite(Database):
    kind = "sqlite"
    file = "database.sqlite3"

    @property
    def _path(self) -> Path:
        return Path(connection.settings_dict["NAME"]).absolute()

    @property
    def folder(self) -> Path:
        return self._path.parent

    def save(self, copy: Path) -> None:
        """A reader among others: nobody waits for it. What was deleted is not in the copy."""
        try:
            with closing(sqlite3.connect(self._path)) as database:
                database.execute("VACUUM INTO ?", [str(copy)])
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path} cannot be copied: {error}") from error

    def filled(self) -> bool:
        if not self._path.exists():
            return False
        try:
            with closing(sqlite3.connect(self._path)) as database:
                return database.execute("SELECT 1 FROM sqlite_master").fetchone() is not None
        except sqlite3.Error:
            return True  # broken, but it was something

    def others(self) -> int:
        return 0  # they hold the lock on the data directory

    def check(self, copy: Path) -> None:
        try:
            with closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as database:
                said = "; ".join(row[0] for row in database.execute("PRAGMA integrity_check"))
                tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
        except sqlite3.Error as error:
            said, tables = str(error), set()
        if said != "ok" or "django_migrations" not in tables:
            raise Rejected(f"the copy of the database is damaged: {said}")

    def replace(self, copy: Path) -> None:
        connections.close_all()
        self._fold()
        for end in ("-wal", "-shm", "-journal"):
            Path(f"{self._path}{end}").unlink(missing_ok=True)
        os.replace(copy, self._path)
        sync_folder(self.folder)

    def _fold(self) -> None:
        """Have no write-ahead log beside what is there: the next database would be read with it."""
        try:
            with closing(sqlite3.connect(self._path, timeout=1)) as old:
                old.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError as error:
            raise Unavailable(f"{self._path} is in use ({error}): stop who uses it") from error
        except sqlite3.DatabaseError:
            pass  # it is broken, which is why it is replaced
