"""Letting go of old rows, a few at a time, so that nothing waits for it.

Rows are found by primary key, as keys are in the order in which rows were made: an index on their age
would cost intake with every row, and thinning needs it once in a row's life.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import OperationalError, connection

from tocsin.db import bulk

WINDOW: Final = 200
_CROSSED: Final = ("40P01", "40001")
_CROSSED_ON_MYSQL: Final = 1213


def _nothing(keys: Collection[Any]) -> set[Any]:
    return set()


class Walk:
    """Goes through a table from its oldest row on, a window at a time, for those that may go.

    ``free`` is SQL that says whether a row may; each of its placeholders is given the time before which
    rows are old. What has to stay is passed over, and looked at again when the walk has come to its end.
    """

    def __init__(self, table: str, *, made: str, free: str, key: str = "id", first: Any = 0) -> None:
        self._columns = (key, f"{made} < %s", f"CASE WHEN {made} < %s AND ({free}) THEN 1 ELSE 0 END")
        self._rest = f"FROM {table} WHERE {key} > %s ORDER BY {key} LIMIT %s"
        self._moments = 2 + free.count("%s")
        self._first = self._after = first

    def find(
        self, before: datetime, most: int, held: Callable[[Collection[Any]], set[Any]] = _nothing
    ) -> list[Any]:
        """Keys of up to ``most`` rows made before then that may go, and of which none is ``held``."""
        old = self._old(before)
        if not old and self._after != self._first:
            self._after = self._first
            old = self._old(before)
        free = [key for key, _, may_go in old if may_go]
        kept = held(free) if free else set()
        found = [key for key in free if key not in kept]
        if old and not found:
            self._after = old[-1][0]
        return found[:most]

    def _old(self, before: datetime) -> list[tuple[Any, ...]]:
        params = [*[bulk.moment(before)] * self._moments, self._after, WINDOW]
        return [row for row in bulk.select(self._columns, self._rest, params) if row[1]]


def step(call: Callable[..., int], *args: Any) -> int:
    """Do one step. Where it and somebody else waited for each other it is undone, for the next time."""
    try:
        return call(*args)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") in _CROSSED or error.args[:1] == (_CROSSED_ON_MYSQL,):
            return 0
        raise


def drop(table: str, where: str, params: Sequence[Any], most: int, key: str = "id") -> int:
    """Delete up to ``most`` rows and return how many; in a transaction. What somebody else has locked
    is left for the next time. ``key`` is unique, and what others lock these rows by."""
    if most <= 0:
        return 0
    sql = f"SELECT {key} FROM {table} WHERE {where} LIMIT %s"  # noqa: S608
    keys = hold(table, [row[0] for row in bulk.fetch(sql, [*params, most])], where, params, key)
    if keys:
        chosen, values = bulk.among(key, keys)
        bulk.execute(f"DELETE FROM {table} WHERE {chosen}", values)  # noqa: S608
    return len(keys)


def hold(
    table: str, keys: Sequence[Any], where: str, params: Sequence[Any] = (), key: str = "id"
) -> list[Any]:
    """Lock those of these rows that are still so and that nobody else has locked; return their keys.

    A row is locked by the key that others lock it by too: MySQL locks the index it reads first, and
    two who begin at different ones would wait for each other.
    """
    if not keys or bulk.is_sqlite():
        return list(keys)
    chosen, values = bulk.among(key, keys)
    skip = " SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    rest = f"FROM {table} WHERE {chosen} AND {where} ORDER BY {key}{bulk.for_update()}{skip}"
    return [row[0] for row in bulk.select((key,), rest, [*values, *params])]
