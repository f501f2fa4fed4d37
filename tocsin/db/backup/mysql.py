"""MySQL and MariaDB: a dump is loaded into a database beside ours, and then all tables change places at once.

There a transaction cannot hold the making of tables. To rename many tables is one step.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.db import DatabaseError, connection

from tocsin.core import config
from tocsin.core.errors import Unavailable
from tocsin.db.backup.database import Database, expect_ends, program, run

_NEW, _OLD = "_restored", "_before"
_DUMP: Final = (
    "--single-transaction", "--skip-lock-tables", "--no-tablespaces", "--skip-triggers", "--hex-blob",
    "--default-character-set=utf8mb4",
)  # fmt: skip


class MySQL(Database):
    kind = "mysql"
    file = "database.sql"

    @property
    def _name(self) -> str:
        return str(connection.settings_dict["NAME"])

    @property
    def folder(self) -> Path:
        return config.data_dir()

    def save(self, copy: Path) -> None:
        dump = program("mariadb-dump", "mysqldump", package="mariadb-client")
        given = connection.settings_dict
        where = [
            f"--{name.lower()}={given[name]}" for name in ("HOST", "PORT", "USER") if given[name]
        ]  # fmt: skip
        environment = {**os.environ, "MYSQL_PWD": str(given["PASSWORD"] or "")}
        run([dump, *where, *_DUMP, f"--result-file={copy}", self._name], environment)

    def filled(self) -> bool:
        return bool(connection.introspection.table_names())

    def others(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM information_schema.processlist WHERE db = %s AND id <> connection_id()",
                [self._name],
            )
            return int(cursor.fetchone()[0])

    def check(self, copy: Path) -> None:
        expect_ends(copy, b" dump ", b"-- Dump completed")

    def replace(self, copy: Path) -> None:
        new, old = self._name + _NEW, self._name + _OLD
        try:
            self._make(new, old)
            self._load(copy, new)
            self._change_places(new, old)
        except DatabaseError as error:
            raise Unavailable(
                f"the database stays as it was: {' '.join(str(error).split())}. Its user needs all rights on"
                f" the databases {new} and {old}, which are made for this and removed"
            ) from error
        finally:
            connection.close()  # the dump has changed this session's settings

    def _make(self, *names: str) -> None:
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
                cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")

    def _load(self, copy: Path, name: str) -> None:
        with connection.cursor() as cursor, copy.open("rb") as dump:
            cursor.execute(f"USE `{name}`")
            for statement in _statements(dump):
                cursor.execute(statement)
            cursor.execute(f"USE `{self._name}`")

    def _change_places(self, new: str, old: str) -> None:
        here = connection.introspection.table_names()
        with connection.cursor() as cursor:
            cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [new])
            there = [row[0] for row in cursor.fetchall()]
            moves = [(self._name, old, table) for table in here] + [
                (new, self._name, table) for table in there
            ]
            cursor.execute("SET foreign_key_checks = 0")
            cursor.execute(
                "RENAME TABLE " + ", ".join(f"`{a}`.`{table}` TO `{b}`.`{table}`" for a, b, table in moves)
            )
            cursor.execute(f"DROP DATABASE `{old}`")
            cursor.execute(f"DROP DATABASE `{new}`")


def _statements(lines: Iterator[bytes]) -> Iterator[str]:
    """A dump's statements. Each ends with its line, as no text in it holds the end of one."""
    statement = ""
    for line in lines:
        text = line.decode()
        if not statement and (text.startswith("--") or not text.strip()):
            continue
        statement += text
        if text.endswith(";\n"):
            yield statement
            statement = ""
