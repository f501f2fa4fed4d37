"""Messages that tools post to Slack, by webhook or chat.postMessage, where they tell of an alert.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity

_KNOWN: Final = {
    "text", "channel", "username", "attachments", "blocks", "icon_emoji", "icon_url", "link_names", "mrkdwn",
    "as_user", "thread_ts", "unfurl_links", "unfurl_media", "parse", "reply_broadcast", "metadata", "token",
}  # fmt: skip
_MARKS: Final = ("fallback", "color", "mrkdwn_in", "title_link", "pretext", "blocks")
_REQUESTS: Final = {
    "block_actions", "interactive_message", "message_action", "shortcut", "view_submission", "view_closed",
    "event_callback", "url_verification",
}  # fmt: skip
# What a message about an alert begins with; the rest is what it is about.
_STATE: Final = re.compile(
    r"[\s*_]*(?::\w+:\s*)*(?P<open>\[)?(?:"
    r"(?P<firing>(?:firing|problem|triggered|alerting|alert|down|critical|warning|error)(?::\d+)?"
    r"|updated problem(?: in [^:]{1,40})?|problem started)"
    r"|(?P<resolved>(?:resolved|recovered|recovery|ok|up|closed)(?::\d+)?"
    r"|resolved in [^:]{1,40}|problem has been resolved)"
    r"|(?P<acknowledged>acknowledged|acknowledgement)"
    r")(?(open)\]|:)[\s*_]*",
    re.I,
)
_COLOURS: Final = {"danger": severity.CRITICAL, "warning": severity.WARNING}
# Apprise tells the type of its message by colour alone.
_APPRISE: Final = {"#a32037": "critical", "#cacf29": "warning", "#3aa3e3": "info", "#3aa337": ""}


class _Told(NamedTuple):
    """What a message says of an alert. Its name is as written, also where space is at its end."""

    name: str
    about: str
    status: Status = "firing"
    word: str = ""


class Driver(DocumentDriver):
    """Messages written for Slack: of those that begin with a state, such as [FIRING] or Problem:"""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        if _is_request(whole):
            return 80
        blocks = any(block.has("type") for block in whole.parts("blocks"))
        if blocks or any(any(map(part.has, _MARKS)) for part in whole.parts("attachments")):
            return 70
        return 40 if whole.has("text") and whole.value.keys() <= _KNOWN else 0

    def parts(self, payload: Part) -> Iterable[Part]:
        return list(payload.parts("attachments")) or [payload]

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        told = None if _is_request(payload) else _by_words(part, payload) or _by_apprise(part)
        if told is None:
            return None
        fields = {field.text("title"): field.text("value") for field in part.parts("fields")}
        word, host = fields.get("Severity") or told.word, fields.get("Host", "")
        return AlertEvent(
            labels=filled(
                {"alertname": told.name, "instance": host, "severity": word}
                | payload.fields("channel", "username")
            ),
            status=told.status,
            name=told.name,
            severity=severity.read(word) if word else _COLOURS.get(part.text("color"), severity.WARNING),
            annotations=filled(
                {key: value for key, value in fields.items() if key}
                | {"summary": told.name.strip(), "description": part.text("text", "pretext")}
            ),
            generator_url=part.text("title_link"),
            fingerprint=identity("slack", told.about, *filter(None, [host])),
        )


def _is_request(whole: Part) -> bool:
    """What Slack itself sends: button presses, commands, events and its handshake."""
    if whole.has("command", "response_url"):
        return True
    return whole.text("type") in _REQUESTS and (whole.has("token") or whole.has("team.id"))


def _by_words(part: Part, payload: Part) -> _Told | None:
    texts = [part.get(key) for key in ("title", "pretext", "fallback", "text")] + [payload.get("text")]
    texts += [block.get("text.text") for block in payload.parts("blocks")]
    for text in texts:
        state = _STATE.match(text) if isinstance(text, str) else None
        if state is None:
            continue
        about = text[state.end() :].strip() or text.strip()
        if state["resolved"]:
            return _Told(text, about, "resolved")
        word = (state["firing"] or "").lower()
        status: Status = "firing" if word else "acknowledged"
        return _Told(text, about, status, word if word in ("critical", "error", "warning") else "")
    return None


def _by_apprise(part: Part) -> _Told | None:
    word = _APPRISE.get(part.text("color").lower())
    name = part.text("title") or part.text("text").partition("\n")[0]
    if word is None or not name or part.text("footer") != "Apprise":
        return None
    return _Told(name, name, "firing" if word else "resolved", word)
