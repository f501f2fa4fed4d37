"""PostgreSQL: pg_dump writes SQL, which is run again within one transaction.

It is run here rather than by psql, which would do more than SQL if a dump asked for it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.db import DatabaseError, connection

from tocsin.core import config
from tocsin.core.errors import Unavailable
from tocsin.db.backup.database import Database, expect_ends, program, run

_NAMES: Final = {"dbname": "PGDATABASE"}
_WAIT: Final = "10s"


class PostgreSQL(Database):
    kind = "postgresql"
    file = "database.sql"

    @property
    def folder(self) -> Path:
        return config.data_dir()

    def save(self, copy: Path) -> None:
        dump = program("pg_dump", package="postgresql-client")
        run([dump, "--no-owner", "--no-privileges", f"--file={copy}"], {**os.environ, **_environment()})

    def filled(self) -> bool:
        return bool(connection.introspection.table_names())

    def others(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            return int(cursor.fetchone()[0])

    def check(self, copy: Path) -> None:
        expect_ends(copy, b"-- PostgreSQL database dump", b"-- PostgreSQL database dump complete")

    def replace(self, copy: Path) -> None:
        tables = connection.introspection.table_names()
        connection.ensure_connection()
        server = connection.connection
        try:
            with connection.wrap_database_errors, server.transaction(), copy.open("rb") as dump:
                server.execute(f"SET LOCAL lock_timeout = '{_WAIT}'")
                if tables:
                    names = ", ".join(map(connection.ops.quote_name, tables))
                    server.execute(f"DROP TABLE {names} CASCADE")
                _replay(server, iter(dump))
        except DatabaseError as error:
            raise Unavailable(f"the database stays as it was: {' '.join(str(error).split())}") from error
        finally:
            connection.close()  # the dump has changed this session's settings


def _environment() -> dict[str, str]:
    """What libpq reads: a password on the command line could be seen by others."""
    options = {
        name: value
        for name, value in connection.get_connection_params().items()
        if isinstance(value, str | int)
    }
    wanted = (
        "dbname",
        "user",
        "password",
        "host",
        "port",
        "service",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
    )
    return {_NAMES.get(name, f"PG{name.upper()}"): str(options[name]) for name in wanted if name in options}


def _replay(server: Any, lines: Iterator[bytes]) -> None:
    statements: list[bytes] = []
    for line in lines:
        if line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
            _execute(server, statements)
            with server.cursor().copy(line) as rows:
                for row in iter(lambda: next(lines), b"\\.\n"):
                    rows.write(row)
        elif not line.startswith((b"--", b"\\")):
            statements.append(line)
    _execute(server, statements)


def _execute(server: Any, statements: list[bytes]) -> None:
    text = b"".join(statements).strip()
    statements.clear()
    if text:
        server.execute(text)
