"""NOTIFY: who is to be told, as deliveries; sending them is the outbox's work."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import Field

from tocsin.alerts.models import Incident
from tocsin.core import config
from tocsin.db import bulk
from tocsin.notify import services as notify
from tocsin.notify.watch import about_channels
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk

_CHANNELS = "SELECT id, name, driver, send_resolved FROM notify_notificationchannel WHERE enabled = %s"


class Channel(NamedTuple):
    """One that may be told."""

    name: str
    send_resolved: bool


class Config(NodeConfig):
    """Which channels; without more, all of them."""

    channels: list[str] = Field(default=[], description="Channels by name")
    driver: str = Field(default="", description="All channels of a driver")


class Node(BatchNode[Config]):
    """Gives one delivery for each channel, or the reason why there is none."""

    Config = Config

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        channels = {
            key: Channel(called, bool(send_resolved))
            for key, called, driver, send_resolved in bulk.fetch(_CHANNELS, [True])
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


def _outcome(walk: Walk, channels: dict[int, Channel], skip: str, name: str) -> Outcome:
    if skip:
        return Outcome({"channels": []}, {"deliveries": [], "reason": skip})
    left_out = {key: why for key, channel in channels.items() if (why := _not_told(walk, key, channel))}
    told = {key: channel.name for key, channel in channels.items() if key not in left_out}
    found = walk.last("intelligence").get("recommendations", [])
    message = notify.compose(
        walk.news, [f"{r['title']}: {r['evidence']}" for r in found if r["severity"] != "info"]
    )
    outgoing = notify.addressed(message, told, walk.news.incident_id, walk.run_id, name)
    output: dict[str, Any] = {
        "deliveries": [{"id": item.message.id, "channel": told[item.channel_id]} for item in outgoing]
    }
    if left_out:
        output["left_out"] = {channels[key].name: why for key, why in left_out.items()}
        if not told:
            output["reason"] = "; ".join(dict.fromkeys(left_out.values()))
    return Outcome({"channels": [channel.name for channel in channels.values()]}, output, outgoing)


def _not_told(walk: Walk, channel_id: int, channel: Channel) -> str:
    """Why a channel is left out; empty where it is told."""
    if walk.news.status == Incident.RESOLVED and not channel.send_resolved:
        return f"{channel.name} is not told when something is over"
    if channel_id in about_channels(change.fingerprint for change in walk.news.changes):
        return f"it is about {channel.name} itself, which does not take its messages"
    return ""
