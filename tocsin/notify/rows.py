"""A delivery's row as it is first written."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tocsin.db import bulk
from tocsin.notify.message import Message
from tocsin.notify.models import Delivery

_COLUMNS: Final = (
    "id", "channel_id", "incident_id", "run_id", "stage", "trace_id", "kind", "state", "message",
    "created_at", "due_at", "lease", "attempts", "last_error", "answer",
)  # fmt: skip
_encode = msgspec.json.Encoder().encode


def row(
    message: Message,
    channel_id: int,
    incident_id: int | None,
    run_id: str,
    stage: str,
    made: Any,
    due: Any,
    lease: str = "",
) -> bulk.Row:
    """A message, with its id, on its way; times as ``bulk.moment`` gives them. With a ``lease`` its first try
    is about to be made."""
    return (
        message.id, channel_id, incident_id, run_id, stage, message.trace_id, message.kind, Delivery.PENDING,
        _encode(message).decode(), made, due, lease, int(bool(lease)), "", "",
    )  # fmt: skip


def insert(rows: Sequence[bulk.Row], ignore: bool = False) -> None:
    """Write them; ``ignore`` skips those of a run and stage that the channel has a message of."""
    bulk.insert(Delivery, _COLUMNS, rows, ignore)
