"""Who was told of an incident, and so is to hear of its end, wherever its routes lead by then."""

from collections.abc import Iterable
from typing import Final

from tocsin.db import bulk

_TOLD: Final = "SELECT DISTINCT incident_id, channel_id FROM notify_delivery WHERE stage = %s AND "
_ROUTED: Final = "SELECT incident_id, channel_id FROM notify_thread WHERE told_at IS NOT NULL AND "


def told(incident_ids: Iterable[int], stage: str) -> dict[int, set[int]]:
    """By incident, the channels that this stage of a run told of it, or a route did."""
    where, params = bulk.among("incident_id", incident_ids)
    found: dict[int, set[int]] = {}
    for incident_id, channel_id in bulk.fetch(_TOLD + where, [stage, *params]) + bulk.fetch(
        _ROUTED + where, params
    ):
        found.setdefault(incident_id, set()).add(channel_id)
    return found
