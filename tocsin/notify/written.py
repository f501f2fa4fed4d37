"""What people wrote for a channel to say: templates of its subject and its body, over the message's
fields."""

from typing import Any, Final

import msgspec

from tocsin.core import templates
from tocsin.core.errors import Rejected
from tocsin.notify import wording
from tocsin.notify.message import DIGEST, TEST, Message

# By name, what it is: what the documentation and the form tell.
FIELDS: Final = {
    "kind": "firing, acknowledged, resolved, question or test",
    "reason": "why it is told now, such as fired, severity, refired, resolved or repeat",
    "title": "the incident's title",
    "headline": "the line that Tocsin itself begins with",
    "text": "the first alert's own words, or who did what",
    "severity": "critical, error, warning or info",
    "status": "of the incident: open, acknowledged, resolved or closed",
    "labels": "labels that the incident is grouped by: labels.team",
    "alerts": "up to 20 alerts, each with name, status, severity, labels, annotations, started_at, ended_at",
    "more_alerts": "how many alerts there are besides",
    "firing": "how many of its alerts fire now",
    "total": "how many alerts it has had",
    "url": "where to look at it in Tocsin",
    "runbook": "a link from its annotations",
    "logs": "a link to its log lines",
    "findings": "what the analysis found, as sentences",
    "events": "what happened shortly before, a line each",
    "actor": "who did what it tells of, where a person did",
    "owner": "who is on it",
    "incident_id": "the incident's number",
    "opened_at": "when it began",
    "trace_id": "by which everything about it is found",
    "id": "this message's own key",
    "is_test": "whether it is a test message",
    "note": "about the message itself, such as why it comes by this channel",
    "asks": "what its pipeline runs ask people: text, until, url, and answer once there is one",
    "fallback_for": "the channel that refused it",
    "grouped": "whether its route waited for more",
    "subject": "empty here",
    "body": "empty here",
}
KNOWN: Final = frozenset(FIELDS)
_FIELDS: Final = ("subject", "body")


class Written(msgspec.Struct, frozen=True):
    """Templates; empty ones leave what Tocsin says."""

    subject: str = ""
    body: str = ""

    def of(self, message: Message) -> Message:
        """The message as these say it. One that fails costs nobody the message: it is told plainly, with a
        note of what is wrong."""
        if not (self.subject or self.body) or message.kind == DIGEST:
            return message
        try:
            return self.applied(message)
        except Rejected as error:
            return msgspec.structs.replace(message, note=f"This channel's {error}.")

    def applied(self, message: Message) -> Message:
        """The same, for whoever wants to know what is wrong. Raises Rejected."""
        values = fields_of(message)
        subject = " ".join(templates.render_text(self.subject, values).split())
        body = templates.render_text(self.body, values).strip()
        return msgspec.structs.replace(message, subject=subject, body=body)

    def preview(self, message: Message) -> "Preview":
        """What a channel would say, and what is wrong with each template, by its field."""
        if message.kind == DIGEST:
            return Preview(message.headline, wording.lines(message), {})
        problems, said = self.problems(), {}
        for field in _FIELDS:
            part = Written(**{field: "" if field in problems else getattr(self, field)})
            try:
                said[field] = getattr(part.applied(message), field)
            except Rejected as error:
                problems[field] = str(error)
        shown = msgspec.structs.replace(message, **said)
        return Preview(shown.headline, wording.lines(shown), problems)

    def problems(self) -> dict[str, str]:
        """What is wrong with each whatever the message is, by its field."""
        return {field: why for field in _FIELDS if (why := _wrong(getattr(self, field)))}


class Preview(msgspec.Struct):
    """What a channel would say by its templates."""

    headline: str
    lines: list[str]
    problems: dict[str, str]


def _wrong(text: str) -> str:
    try:
        templates.check_names(text, KNOWN)
    except ValueError as error:
        return str(error)
    return ""


def fields_of(message: Message) -> dict[str, Any]:
    """What templates may look at: the message's fields, its headline and its text."""
    fields: dict[str, Any] = msgspec.to_builtins(message)
    return {**fields, "headline": message.headline, "text": message.text, "is_test": message.kind == TEST}
