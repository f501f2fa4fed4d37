"""Set-based SQL that reads the same on SQLite, PostgreSQL and MySQL/MariaDB.

Rows go to SQLite as one statement per power of two, and come back as one JSON text: its driver lets
go of the interpreter with every row, and would wait for the event loop to give it back each time.
"""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import msgspec
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.transaction import atomic

Row = Sequence[Any]
_rows = msgspec.json.Decoder(list[tuple[Any, ...]])
_LARGEST_CHUNK: Final = 256
_last_moment: tuple[datetime | None, Any] = None, None


def moment(value: datetime | None) -> Any:
    """A time in UTC as this database's driver takes it."""
    global _last_moment
    if value is None:
        return None
    last, text = _last_moment
    if value is not last:  # the columns of a row, and the rows of a post, often share one time
        text = value.isoformat(" ")[:-6] if is_sqlite() else _here().ops.adapt_datetimefield_value(value)
        _last_moment = value, text
    return text


def read_moment(value: Any) -> datetime | None:
    """A time as raw SQL gives it, aware and in UTC."""
    if value is None:
        return None
    if isinstance(value, str):
        return datetime.fromisoformat(value + "+00:00")
    read: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
    return read


def among(column: str, values: Iterable[Any]) -> tuple[str, list[Any]]:
    """``column IN (values)`` as SQL text and its parameters, any number of them."""
    values = list(values)
    if is_sqlite():  # one text for every length keeps the statement prepared
        return f"{column} IN (SELECT value FROM json_each(%s))", [  # noqa: S608
            msgspec.json.encode(values).decode()
        ]
    if _here().vendor == "postgresql":
        return f"{column} = ANY(%s)", [values]
    return f"{column} IN ({', '.join(['%s'] * len(values)) or 'NULL'})", values


def insert(
    model: type[Model],
    columns: tuple[str, ...],
    rows: Sequence[Row],
    ignore: bool = False,
    first: str = "",
) -> None:
    """Insert tuples, many at a time; ``ignore`` skips those that break a unique constraint.

    ``first`` is SQL that makes the first column of the row's first value, such as a sub-query.
    """
    for chunk in _chunks(rows):
        sql = _insert_sql(model._meta.db_table, columns, len(chunk), ignore, first)
        execute(sql, [value for row in chunk for value in row])


def update(model: type[Model], columns: tuple[str, ...], keys: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Update one row per tuple: the new values of ``columns``, then the values of ``keys`` to find it by."""
    table = model._meta.db_table
    if not is_sqlite():
        sql = _update_sql(table, columns, keys)
        with _here().cursor() as cursor:
            cursor.executemany(sql, rows)
        return
    for chunk in _chunks(rows):
        sql = _update_from_sql(table, columns, keys, len(chunk))
        execute(sql, [value for row in chunk for value in row])


def fetch(sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run a query and return its rows."""
    connection = _here()
    if not is_sqlite():
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())
    connection.ensure_connection()
    with connection.wrap_database_errors:
        found: list[tuple[Any, ...]] = connection.connection.execute(_marked(sql), params).fetchall()
    return found


def select(columns: tuple[str, ...], rest: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of ``SELECT columns rest``, where there may be many; times as ``read_moment`` takes them."""
    if not is_sqlite():
        return fetch(f"SELECT {', '.join(columns)} {rest}", params)
    return _rows.decode(fetch(_packed_sql(columns, rest), params)[0][0])


@contextmanager
def transaction() -> Iterator[None]:
    """A transaction for this module's functions alone; the ORM's own is ``atomic``.

    On SQLite it holds the write lock from its beginning. One within another is part of it.
    """
    connection = _here()
    if not is_sqlite() or connection.in_atomic_block:
        with atomic():
            yield
        return
    connection.ensure_connection()
    database = connection.connection
    if database.in_transaction:
        yield
        return
    with _turn(connection), connection.wrap_database_errors:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise


def for_update() -> str:
    """The clause that locks the rows read; SQLite needs none, as its writers are one at a time."""
    return "" if is_sqlite() else " FOR UPDATE"


@cache
def is_sqlite() -> bool:
    """Whether this installation runs on SQLite."""
    return _here().vendor == "sqlite"


class _Waits:
    """How long this process has stood in line."""

    seconds = 0.0


_waits = _Waits()


def waited() -> float:
    """Seconds this process has waited in line for SQLite's write lock, in all."""
    return _waits.seconds


def _here() -> BaseDatabaseWrapper:
    """This thread's connection; the usual proxy costs a look-up at every attribute."""
    return connections[DEFAULT_DB_ALIAS]


def execute(sql: str, params: Sequence[Any]) -> None:
    """Run one statement."""
    connection = _here()
    if not is_sqlite():
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
        return
    connection.ensure_connection()
    with connection.wrap_database_errors:
        connection.connection.execute(_marked(sql), params)


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Cut rows into powers of two, so that a few prepared statements serve every length."""
    start, left = 0, len(rows)
    while left:
        size = min(_LARGEST_CHUNK, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start, left = start + size, left - size


@contextmanager
def _turn(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Wait in line for SQLite's write lock.

    SQLite itself waits by sleeping longer and longer, so that of two busy processes one starves. The
    kernel's file lock wakes the next in line at once. It only orders: the write lock still decides.
    """
    line = getattr(connection, "_tocsin_line", None)
    if line is None:
        line = os.open(f"{connection.settings_dict['NAME']}.line", os.O_RDWR | os.O_CREAT, 0o600)
        connection._tocsin_line = line  # type: ignore[attr-defined]
    try:
        fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        began = time.monotonic()
        fcntl.flock(line, fcntl.LOCK_EX)
        _waits.seconds += time.monotonic() - began
    try:
        yield
    finally:
        fcntl.flock(line, fcntl.LOCK_UN)


@cache
def _marked(sql: str) -> str:
    """SQL with SQLite's own placeholders; Django's cursor would translate them anew each time."""
    return sql.replace("%s", "?")


@cache
def _packed_sql(columns: tuple[str, ...], rest: str) -> str:
    names = ", ".join(f"column{place}" for place in range(len(columns)))
    named = ", ".join(f"{column} AS column{place}" for place, column in enumerate(columns))
    return f"SELECT json_group_array(json_array({names})) FROM (SELECT {named} {rest})"  # noqa: S608


@cache
def _insert_sql(table: str, columns: tuple[str, ...], count: int, ignore: bool, first: str) -> str:
    verb, tail = "INSERT", ""
    if ignore and _here().vendor == "mysql":
        verb = "INSERT IGNORE"
    elif ignore:
        tail = " ON CONFLICT DO NOTHING"
    names = ", ".join(map(_here().ops.quote_name, columns))  # a word may be MySQL's own, such as "exit"
    return f"{verb} INTO {table} ({names}) VALUES {_values(len(columns), count, first)}{tail}"


@cache
def _update_sql(table: str, columns: tuple[str, ...], keys: tuple[str, ...]) -> str:
    quoted = _here().ops.quote_name
    assignments = ", ".join(f"{quoted(column)} = %s" for column in columns)
    return f"UPDATE {table} SET {assignments} WHERE {' AND '.join(f'{quoted(key)} = %s' for key in keys)}"  # noqa: S608


@cache
def _update_from_sql(table: str, columns: tuple[str, ...], keys: tuple[str, ...], count: int) -> str:
    assignments = ", ".join(f"{name} = new.column{place}" for place, name in enumerate(columns, 1))
    places = enumerate(keys, len(columns) + 1)
    condition = " AND ".join(f"{table}.{name} = new.column{place}" for place, name in places)
    values = _values(len(columns) + len(keys), count)
    return f"UPDATE {table} SET {assignments} FROM (VALUES {values}) AS new WHERE {condition}"  # noqa: S608


def _values(width: int, count: int, first: str = "%s") -> str:
    return ", ".join([f"({', '.join([first or '%s', *['%s'] * (width - 1)])})"] * count)
