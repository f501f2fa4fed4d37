"""What the API gives: alerts and silences in Alertmanager's shape. Values in, values out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tocsin.alerts.models import Alert, Silence
from tocsin.core.labels import with_name


def moment(value: datetime) -> str:
    """A time as Alertmanager writes it, to the millisecond."""
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}Z"


def alert(
    row: Alert, receivers: Sequence[str], silenced_by: Sequence[str], ends_at: datetime
) -> dict[str, Any]:
    """One firing alert; ``ends_at`` is until when it is believed."""
    shape: dict[str, Any] = {
        "annotations": row.annotations,
        "endsAt": moment(ends_at),
        "fingerprint": row.fingerprint,
        "receivers": [{"name": name} for name in receivers],
        "startsAt": moment(row.started_at),
        "status": {
            "inhibitedBy": [],
            "mutedBy": [],
            "silencedBy": list(silenced_by),
            "state": "suppressed" if silenced_by else "active",
        },
        "updatedAt": moment(row.seen_at),
        "labels": with_name(row.labels, row.name),
    }
    return shape | {"generatorURL": row.generator_url} if row.generator_url else shape


def silence(row: Silence, now: datetime) -> dict[str, Any]:
    """One silence with its state."""
    return {
        "id": row.id,
        "status": {"state": row.state(now)},
        "updatedAt": moment(row.updated_at),
        "comment": row.comment,
        "createdBy": row.created_by,
        "annotations": row.annotations,
        "startsAt": moment(row.starts_at),
        "endsAt": moment(row.ends_at),
        "matchers": row.matchers,
    }
