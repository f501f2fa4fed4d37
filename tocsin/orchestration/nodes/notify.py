"""NOTIFY: who is to be told, as deliveries; sending them is the outbox's work."""

from collections.abc import Sequence

from pydantic import Field

from tocsin.core import config
from tocsin.db import bulk
from tocsin.notify import services as notify
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk

_CHANNELS = "SELECT id, name, driver FROM notify_notificationchannel WHERE enabled = %s"


class Config(NodeConfig):
    """Which channels; without more, all of them."""

    channels: list[str] = Field(default=[], description="Channels by name")
    driver: str = Field(default="", description="All channels of a driver")


class Node(BatchNode[Config]):
    """Gives one delivery for each channel, or the reason why there is none."""

    Config = Config

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        channels = {
            key: called
            for key, called, driver in bulk.fetch(_CHANNELS, [True])
            if self._means(called, driver)
        }
        skip = ""
        if config.flag("NOTIFY_SKIP_ALL"):
            skip = "NOTIFY_SKIP_ALL is set"
        elif not channels:
            skip = f"there is no enabled channel{self._asked}"
        return [_outcome(walk, channels, skip, name) for walk in walks]

    def _means(self, channel: str, driver: str) -> bool:
        if self.config.channels and channel not in self.config.channels:
            return False
        return not self.config.driver or driver == self.config.driver

    @property
    def _asked(self) -> str:
        named = f" named {' or '.join(self.config.channels)}" if self.config.channels else ""
        return named + (f" of driver {self.config.driver}" if self.config.driver else "")


def _outcome(walk: Walk, channels: dict[int, str], skip: str, name: str) -> Outcome:
    if skip:
        return Outcome({"channels": []}, {"deliveries": [], "reason": skip})
    found = walk.last("intelligence").get("recommendations", [])
    message = notify.compose(
        walk.news, [f"{r['title']}: {r['evidence']}" for r in found if r["severity"] != "info"]
    )
    outgoing = notify.addressed(message, channels, walk.news.incident_id, walk.run_id, name)
    sent = [{"id": item.message.id, "channel": channels[item.channel_id]} for item in outgoing]
    return Outcome({"channels": list(channels.values())}, {"deliveries": sent}, outgoing)
