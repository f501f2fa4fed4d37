"""Letting go of old incidents with their alerts and their record: a few rows at a time.

An incident is old once it has been closed, and all of its alerts have been over, for long enough. Those
who refer to incidents from above let go of what they have of it first.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from tocsin.db import bulk
from tocsin.db.thinning import Walk, drop, hold

_incidents = Walk("alerts_incident", made="opened_at", free="status = 'closed' AND closed_at < %s")
_LOOSE: Final = "incident_id IS NULL AND decision <> ''"
_loose = Walk("alerts_alerthistory", made="received_at", free=_LOOSE)
_parked = Walk("alerts_parkedpayload", made="received_at", free="1 = 1")


def old_incidents(before: datetime, most: int, held: Callable[[Collection[int]], set[int]]) -> list[int]:
    """Up to ``most`` incidents that were over before then; those that are ``held`` stay."""
    return _incidents.find(before, most, lambda found: held(found) | _with_alerts(found, before))


def _with_alerts(incident_ids: Collection[int], before: datetime) -> set[int]:
    """Those of these incidents with an alert that stays: it may fire on after people resolved its
    incident, and end long after that was closed."""
    where, params = bulk.among("incident_id", incident_ids)
    stays = f"{where} AND (status <> 'resolved' OR ended_at >= %s)"
    sql = f"SELECT DISTINCT incident_id FROM alerts_alert WHERE {stays}"  # noqa: S608
    return {row[0] for row in bulk.fetch(sql, [*params, bulk.moment(before)])}


def hold_incidents(incident_ids: Sequence[int]) -> list[int]:
    """Have these incidents to oneself; those that somebody else has are left out."""
    return hold("alerts_incident", incident_ids, "status = 'closed'")


def drop_record(incident_ids: Collection[int], most: int) -> int:
    """Let go of these incidents' journal; return how many rows. Call it in a transaction."""
    where, params = bulk.among("incident_id", incident_ids)
    return drop("alerts_alerthistory", f"{where} AND decision <> ''", params, most)


def drop_alerts(incident_ids: Collection[int], before: datetime, most: int) -> int:
    """Let go of these incidents' alerts that ended before then and of which no journal speaks any more;
    return how many. Call it in a transaction."""
    where, params = bulk.among("incident_id", incident_ids)
    over = "status = 'resolved' AND (ended_at IS NULL OR ended_at < %s)"
    told = "SELECT 1 FROM alerts_alerthistory h WHERE h.alert_id = alerts_alert.id"
    free = f"{where} AND {over} AND NOT EXISTS ({told})"
    return drop("alerts_alert", free, [*params, bulk.moment(before)], most, key="fingerprint")


def drop_incidents(incident_ids: Collection[int], most: int) -> int:
    """Let go of these incidents, where neither an alert nor the journal speaks of them any more; return
    how many. Call it in a transaction."""
    where, params = bulk.among("id", incident_ids)
    left = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {table} t WHERE t.incident_id = alerts_incident.id)"  # noqa: S608
        for table in ("alerts_alert", "alerts_alerthistory")
    )
    return drop("alerts_incident", f"{where} AND status = 'closed' AND {left}", params, most)


def drop_loose_record(before: datetime, most: int) -> int:
    """Let go of the journal before then about what belongs to no incident; return how many rows."""
    keys = _loose.find(before, most)
    if not keys:
        return 0
    where, params = bulk.among("id", keys)
    with bulk.transaction():
        return drop("alerts_alerthistory", f"{where} AND {_LOOSE}", params, most)


def drop_parked(before: datetime, most: int) -> int:
    """Let go of payloads before then that nobody could read; return how many."""
    keys = _parked.find(before, most)
    if not keys:
        return 0
    where, params = bulk.among("id", keys)
    with bulk.transaction():
        return drop("alerts_parkedpayload", where, params, most)
