"""Messages that a channel will never take go to the channel that stands in for it. Called in the transaction
that gives them up."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from tocsin.core.ids import new_id
from tocsin.db import bulk
from tocsin.notify import rows
from tocsin.notify.message import Message
from tocsin.notify.outcome import Outcome

_MESSAGE: Final = msgspec.json.Decoder(Message)
_GIVEN_UP: Final = """
    SELECT d.id, d.incident_id, d.run_id, d.stage, d.message, c.name, f.id FROM notify_delivery d
    JOIN notify_notificationchannel c ON c.id = d.channel_id
    JOIN notify_notificationchannel f ON f.id = c.fallback_id
    WHERE f.enabled = %s AND """


def stand_in(given_up: Sequence[Outcome], now: datetime) -> None:
    """A delivery by the fallback for each; none where that channel was told by the same run anyway. What came
    by a fallback already goes no further, so that two that stand in for each other do not play ball."""
    if not given_up:
        return
    where, params = bulk.among("d.id", [outcome.delivery_id for outcome in given_up])
    errors = {outcome.delivery_id: outcome.error for outcome in given_up}
    new = []
    for key, incident, run, stage, text, name, channel in bulk.fetch(_GIVEN_UP + where, [True, *params]):
        message = _MESSAGE.decode(text)
        if message.fallback_for:
            continue
        note = f"{name} did not take this message ({errors[key][:200]}), so it comes this way."
        told = msgspec.structs.replace(message, id=new_id(), note=note, fallback_for=name)
        stamp = bulk.moment(now)
        new.append(rows.row(told, channel, incident, run, stage, stamp, stamp))
    rows.insert(new, ignore=True)
