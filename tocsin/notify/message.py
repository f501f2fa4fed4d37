"""What people are told: plain values, made once, worded by each driver in its service's way."""

from datetime import datetime
from typing import Final

import msgspec

FIRING, ACKNOWLEDGED, RESOLVED, TEST = "firing", "acknowledged", "resolved", "test"
QUESTION = "question"  # a pipeline asks people something, or has its answer: ``asks`` says what
DIGEST = "digest"  # many messages folded into one; ``findings`` say what it holds, ``url`` leads to all of it
ALERTS_SHOWN: Final = 20


class MessageAlert(msgspec.Struct, frozen=True):
    """One alert that a message tells of."""

    name: str
    status: str
    severity: str
    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str]
    started_at: datetime
    ended_at: datetime | None = None
    generator_url: str = ""

    @property
    def text(self) -> str:
        """What the source says of it, in a sentence."""
        for name in ("summary", "message", "description"):
            if self.annotations.get(name):
                return self.annotations[name]
        return ""


class Question(msgspec.Struct, frozen=True):
    """What a run asks people at one of its nodes; ``answer`` is who said what, once somebody has."""

    run_id: str
    node: str
    text: str
    url: str
    until: datetime
    answer: str = ""

    @property
    def words(self) -> str:
        """In a sentence or two."""
        if self.answer:
            return f"{self.text} {self.answer}"
        return f"{self.text} Answer by {self.until:%Y-%m-%d %H:%M} UTC: {self.url}"


class Message(msgspec.Struct, frozen=True, omit_defaults=False):
    """News of one incident. ``id`` is the delivery's idempotency key.

    ``subject`` and ``body`` are what a channel's own templates gave: where there is one, it stands in the
    place of the headline, or of the alerts.
    """

    id: str
    kind: str
    reason: str
    title: str
    severity: str
    trace_id: str
    url: str
    incident_id: int | None = None
    status: str = ""
    labels: dict[str, str] = {}
    firing: int = 0
    total: int = 0
    opened_at: datetime | None = None
    alerts: list[MessageAlert] = []
    more_alerts: int = 0
    findings: list[str] = []
    runbook: str = ""
    logs: str = ""
    actor: str = ""  # who did what it tells of, where a person did
    owner: str = ""  # who is on it
    subject: str = ""
    body: str = ""
    events: list[str] = []  # what happened shortly before, a line each
    asks: list[Question] = []  # what its pipeline runs ask, and were answered
    grouped: bool = False  # its route waits for more: what waits with it is told with it
    note: str = ""  # about the message itself, such as why it comes by this channel
    fallback_for: str = ""  # the channel that refused it

    @property
    def key(self) -> str:
        """What its incident goes by at services that keep problems of their own: other installations, and
        incidents after this one, have others. At most 32 letters, digits and dashes."""
        if self.incident_id is None or self.opened_at is None:
            return self.id
        return f"tocsin-{self.incident_id}-{int(self.opened_at.timestamp())}"

    @property
    def headline(self) -> str:
        """One line: ``[FIRING] HighCPU on web-1``."""
        if self.subject:
            return self.subject
        if self.kind == QUESTION and self.asks:
            said = "ANSWERED" if self.asks[-1].answer else "QUESTION"
            return f"[{said}] {self.title}: {self.asks[-1].text}"
        count = f" ({self.firing} firing)" if self.kind == FIRING and self.firing > 1 else ""
        return f"[{self.kind.upper()}] {self.title}{count}"

    @property
    def text(self) -> str:
        """The first alert's own words, or a person's deed."""
        if self.actor:
            return f"{self.status.capitalize()} by {self.actor}"
        return next((alert.text for alert in self.alerts if alert.text), "")


_decoder: Final = msgspec.json.Decoder(Message)


def read(text: str) -> Message | None:
    """A message as it was kept; None for one that only a newer version can read."""
    try:
        return _decoder.decode(text)
    except msgspec.MsgspecError:
        return None
