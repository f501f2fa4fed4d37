"""Letting go of old deliveries: a few at a time, in the caller's transaction where it has one."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from tocsin.db import bulk
from tocsin.db.thinning import Walk, drop

_TABLE: Final = "notify_delivery"
_SENT: Final = "state IN ('sent', 'folded') AND COALESCE(sent_at, created_at) < %s"
_DEAD: Final = "state = 'dead' AND created_at < %s"
_sent = Walk(_TABLE, made="created_at", free=_SENT, first="")


def drop_sent(before: datetime, most: int) -> int:
    """Let go of messages that were sent or folded before then; return how many."""
    keys = _sent.find(before, most)
    if not keys:
        return 0
    where, params = bulk.among("id", keys)
    with bulk.transaction():
        return drop(_TABLE, f"{where} AND {_SENT}", [*params, bulk.moment(before)], most)


def drop_dead(before: datetime, most: int) -> int:
    """Let go of dead letters that were written before then; return how many."""
    params = [bulk.moment(before)]
    if not bulk.fetch(f"SELECT id FROM {_TABLE} WHERE {_DEAD} LIMIT 1", params):  # noqa: S608
        return 0
    with bulk.transaction():
        return drop(_TABLE, _DEAD, params, most)


def of_runs(run_ids: Collection[str]) -> set[str]:
    """Those of these runs that have a delivery still."""
    where, params = bulk.among("run_id", run_ids)
    sql = f"SELECT DISTINCT run_id FROM {_TABLE} WHERE {where}"  # noqa: S608
    return {row[0] for row in bulk.fetch(sql, params)}


def unfinished(incident_ids: Collection[int]) -> set[int]:
    """Those of these incidents that have a message on its way."""
    return _incidents(incident_ids, " AND due_at IS NOT NULL")


def left(incident_ids: Collection[int]) -> set[int]:
    """Those of these incidents that have a delivery or a thread at all."""
    where, params = bulk.among("incident_id", incident_ids)
    threads = bulk.fetch(f"SELECT DISTINCT incident_id FROM notify_thread WHERE {where}", params)  # noqa: S608
    return _incidents(incident_ids) | {row[0] for row in threads}


def drop_of(incident_ids: Collection[int], most: int) -> int:
    """Let go of these incidents' finished deliveries and threads; return how many. Call it in a
    transaction."""
    where, params = bulk.among("incident_id", incident_ids)
    threads = drop("notify_thread", where, params, most)
    return threads + drop(_TABLE, f"{where} AND due_at IS NULL", params, most - threads)


def _incidents(incident_ids: Collection[int], which: str = "") -> set[int]:
    where, params = bulk.among("incident_id", incident_ids)
    sql = f"SELECT DISTINCT incident_id FROM {_TABLE} WHERE {where}{which}"  # noqa: S608
    return {row[0] for row in bulk.fetch(sql, params)}
