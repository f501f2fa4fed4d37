"""What goes to a theatre and what comes back, line by line: JSON, as short as it can be."""

from datetime import datetime
from typing import Final

import msgspec

from tocsin.orchestration.replay.configuration import Configuration


class Orders(msgspec.Struct):
    """The first line: under which configuration to play, and what else to know."""

    configuration: Configuration
    since: datetime
    channel_keys: dict[str, int]
    relabelled: dict[str, dict[str, str]] = {}  # by source: the default labels that its alerts bear already


class Change(msgspec.Struct, array_like=True, tag="change", gc=False):
    """An entry of the journal with its alert. ``labels`` and ``annotations`` are as the database has them."""

    id: int
    alert_id: int
    fingerprint: str
    kind: str
    severity: str
    source: str
    episode: int
    at: datetime
    received_at: datetime
    trace_id: str
    actor: str
    name: str
    labels: str
    annotations: str
    generator_url: str


class Act(msgspec.Struct, array_like=True, tag="act"):
    """What a person did: to the incident that an alert is in."""

    kind: str
    alert_id: int
    actor: str
    received_at: datetime


class End(msgspec.Struct, array_like=True, tag="end"):
    """The last line, and the time before which the play ends. Without it the play is broken off."""

    until: datetime


class Joined(msgspec.Struct, array_like=True, tag="joined", gc=False):
    """An entry that put its alert into an incident, or moved it within; whether it ``counts``, or led to how
    things were at the beginning."""

    entry: int
    incident: int
    alert: str
    counts: bool


class Hid(msgspec.Struct, array_like=True, tag="hid", gc=False):
    """An entry that people were not told of, or may not have been, and why: an end that is grouped is told
    where it is the last of its incident."""

    entry: str
    decision: str
    reason: str


class Told(msgspec.Struct, array_like=True, tag="told", gc=False):
    """A message; ``about`` names the entries it tells of."""

    at: datetime
    channel: str
    incident: int
    title: str
    kind: str
    reason: str
    about: list[str]


class Opened(msgspec.Struct, array_like=True, tag="opened", gc=False):
    """An incident, as it was at the end."""

    incident: int
    title: str
    severity: str
    status: str
    opened_at: datetime
    resolved_at: datetime | None
    alerts: int


Fed = Change | Act | End
Answer = Joined | Hid | Told | Opened
encode: Final = msgspec.json.Encoder().encode
read_orders: Final = msgspec.json.Decoder(Orders).decode
read_fed: Final = msgspec.json.Decoder(Fed).decode
read_answer: Final = msgspec.json.Decoder(Answer).decode
