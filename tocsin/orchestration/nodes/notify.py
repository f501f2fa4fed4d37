"""NOTIFY: who is to be told, as deliveries; sending them is the outbox's work."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import msgspec
from django.conf import settings
from pydantic import Field

from tocsin.alerts.models import Incident
from tocsin.alerts.news import News
from tocsin.alerts.transition import OPENING
from tocsin.core import config, loglink
from tocsin.db import bulk
from tocsin.fleet import feed
from tocsin.fleet.models import Event
from tocsin.notify import hearing, routes, state
from tocsin.notify import services as notify
from tocsin.notify.message import Message
from tocsin.notify.routes import Routes
from tocsin.notify.routing.tree import Decision
from tocsin.notify.timing import Timing
from tocsin.notify.watch import about_channels
from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk

EVENTS_SHOWN: Final = 8
_CHANNELS = "SELECT id, name, driver, send_resolved FROM notify_notificationchannel WHERE enabled = %s"


_BEFORE: Final = "no route any more, but it was told before"
AT_ONCE: Final = Timing(0, 0, 0)  # or with what its route holds back


class Channel(msgspec.Struct, frozen=True):
    """One that may be told."""

    id: int
    name: str
    driver: str
    send_resolved: bool


class Told(msgspec.Struct):
    """A channel that is told, by which route, and how that waits; without a route, at once."""

    channel: Channel
    route: str = ""
    timing: Timing | None = None
    muted: str = ""


class Page:
    """What the messages of one pass have in common: the node that makes them, the time, the feed."""

    def __init__(self, node: str, now: datetime) -> None:
        self.node, self.now = node, now

    @cached_property
    def _recent(self) -> list[Event]:
        return feed.recent(self.now)

    def message(self, walk: Walk) -> Message:
        """What is told of a run."""
        found = walk.last("intelligence").get("recommendations", [])
        message = notify.compose(
            walk.news, [f"{r['title']}: {r['evidence']}" for r in found if r["severity"] != "info"]
        )
        if not message.alerts:  # it tells what a person did
            message = state.with_alerts(message)
        return msgspec.structs.replace(message, events=self._events(walk.news))

    def _events(self, news: News) -> list[str]:
        if news.reason not in OPENING:
            return []
        known = {news.trace_id, *news.all_labels().values()}
        return [_line(event) for event in feed.about(self._recent, known, EVENTS_SHOWN)]


def _line(event: Event) -> str:
    who = " ".join(filter(None, (event.source, event.type)))
    trace = event.correlation_id or event.trace_id
    link = loglink.link(settings.LOG_LINK, trace, event.at, event.at, settings.PUBLIC_URL)
    said = " ".join(event.message.split())[:200]
    return f"{event.at:%H:%M:%S} {event.level} {who}: {said} [{trace}] {link}"


class Config(NodeConfig):
    """Which channels; without more, those that the routes say, and all of them where there are no routes."""

    channels: list[str] = Field(default=[], description="Channels by name")
    driver: str = Field(default="", description="All channels of a driver")


class Node(BatchNode[Config]):
    """Gives one delivery for each channel, or the reason why there is none."""

    Config = Config

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        channels = [Channel(row[0], row[1], row[2], bool(row[3])) for row in bulk.fetch(_CHANNELS, [True])]
        in_force = None if self.config.channels or self.config.driver else routes.in_force()
        if config.flag("NOTIFY_SKIP_ALL"):
            skip = Outcome({"channels": []}, {"deliveries": [], "reason": "NOTIFY_SKIP_ALL is set"})
            return [skip] * len(walks)
        page = Page(name, context.now)
        if in_force is not None:
            over = {walk.news.incident_id for walk in walks if walk.news.status == Incident.RESOLVED}
            heard = hearing.told(over, name) if over else {}
            return [
                _routed(walk, in_force, channels, heard.get(walk.news.incident_id, set()), page)
                for walk in walks
            ]
        meant = [Told(channel) for channel in channels if self._means(channel)]
        none = f"there is no enabled channel{self._asked}"
        return [_outcome(walk, meant, none, page) for walk in walks]

    def _means(self, channel: Channel) -> bool:
        if self.config.channels and channel.name not in self.config.channels:
            return False
        return not self.config.driver or channel.driver == self.config.driver

    @property
    def _asked(self) -> str:
        named = f" named {' or '.join(self.config.channels)}" if self.config.channels else ""
        return named + (f" of driver {self.config.driver}" if self.config.driver else "")


def _routed(
    walk: Walk, in_force: Routes, channels: Sequence[Channel], heard: Collection[int], page: Page
) -> Outcome:
    """``heard`` are the channels that are to hear of the end, as they were told before."""
    by_name = {channel.name: channel for channel in channels}
    labels = walk.news.all_labels()
    if walk.news.changes:
        labels.setdefault("alertname", walk.news.changes[0].name)
    decisions = in_force.of(labels, page.now)
    meant: dict[str, Told] = {}
    for decision in decisions:
        for called in decision.channels:
            if called in by_name:
                meant.setdefault(called, _told(by_name[called], decision))
    for channel in channels:
        if channel.id in heard:
            meant.setdefault(channel.name, Told(channel, _BEFORE, AT_ONCE))
    taken_by = " and ".join(_called(decision) for decision in decisions)
    asked = ", ".join(dict.fromkeys(called for decision in decisions for called in decision.channels))
    none = (
        f"of the channels of {taken_by} ({asked}) none is enabled" if asked else f"{taken_by} has no channel"
    )
    return _outcome(walk, list(meant.values()), none, page)


def _called(decision: Decision) -> str:
    last = decision.steps[-1]
    return f"route {last.name or last.path}"


def _told(channel: Channel, decision: Decision) -> Told:
    muted = decision.muted
    timing = Timing(
        decision.group_wait,
        decision.group_interval,
        decision.repeat_interval,
        muted.until if muted else None,
    )
    told = Told(channel, _called(decision), timing)
    if muted is not None:
        until = f" until {muted.until:%Y-%m-%d %H:%M} UTC" if muted.until else " for good"
        told.muted = f"{muted.reason} by {', '.join(muted.intervals)}{until}"
    return told


def _outcome(walk: Walk, meant: Sequence[Told], none: str, page: Page) -> Outcome:
    left_out = {told.channel.name: why for told in meant if (why := _not_told(walk, told))}
    told = {one.channel.id: one for one in meant if one.channel.name not in left_out}
    message = page.message(walk) if told else None
    incident = walk.news.incident_id
    outgoing = notify.addressed(message, told, incident, walk.run_id, page.node) if message else []
    for item in outgoing:
        if timing := told[item.channel_id].timing:
            item.timing, item.message = timing, msgspec.structs.replace(item.message, grouped=True)
    output: dict[str, Any] = {
        "deliveries": [_shown(item.message.id, told[item.channel_id]) for item in outgoing]
    }
    if left_out:
        output["left_out"] = left_out
    if not told:
        output["reason"] = "; ".join(dict.fromkeys(left_out.values())) or none
    return Outcome({"channels": [one.channel.name for one in meant]}, output, outgoing)


def _shown(delivery_id: str, told: Told) -> Mapping[str, str]:
    shown = {"id": delivery_id, "channel": told.channel.name, "route": told.route, "muted": told.muted}
    return {name: text for name, text in shown.items() if text}


def _not_told(walk: Walk, told: Told) -> str:
    """Why a channel is left out; empty where it is told."""
    name = told.channel.name
    if walk.news.status == Incident.RESOLVED and not told.channel.send_resolved:
        return f"{name} is not told when something is over"
    if told.channel.id in about_channels(change.fingerprint for change in walk.news.changes):
        return f"it is about {name} itself, which does not take its messages"
    if told.muted and told.timing and told.timing.muted_until is None:
        return told.muted
    return ""
