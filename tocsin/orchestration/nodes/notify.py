"""NOTIFY: who is to be told, as deliveries; sending them is the outbox's work."""

from collections.abc import Sequence

from tocsin.core import config
from tocsin.db import bulk
from tocsin.notify import services as notify
from tocsin.orchestration.nodes import BaseNode, Context, Outcome, Walk


_CHANNELS = "SELECT id, name FROM notify_notificationchannel WHERE enabled = %s"


class Node(BaseNode):
    """Gives one delivery for each channel, or the reason why there is none."""

    def run(self, walks: Sequence[Walk], context: Context) -> list[Outcome]:
        channels = dict(bulk.fetch(_CHANNELS, [True]))
        skip = ""
        if config.flag("NOTIFY_SKIP_ALL"):
            skip = "NOTIFY_SKIP_ALL is set"
        elif not channels:
            skip = "there is no enabled channel"
        return [_outcome(walk, channels, skip) for walk in walks]


def _outcome(walk: Walk, channels: dict[int, str], skip: str) -> Outcome:
    if skip:
        return Outcome({"channels": []}, {"deliveries": [], "reason": skip})
    found = walk.outputs.get("ANALYZE", {}).get("recommendations", [])
    message = notify.compose(
        walk.news, [f"{r['title']}: {r['evidence']}" for r in found if r["severity"] != "info"]
    )
    outgoing = notify.addressed(message, channels, walk.news.incident_id, walk.run_id)
    sent = [{"id": item.message.id, "channel": channels[item.channel_id]} for item in outgoing]
    return Outcome({"channels": list(channels.values())}, {"deliveries": sent}, outgoing)
