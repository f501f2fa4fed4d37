"""Slack's incoming webhooks. https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""

from typing import Any, Final

import msgspec
from pydantic import BaseModel, Field, SecretStr

from tocsin.core.errors import Rejected
from tocsin.core.http import Client
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import ACKNOWLEDGED, RESOLVED, Message, MessageAlert

MAX_TEXT: Final = 2900  # Slack takes 3,000 characters in a section
MAX_HEADER: Final = 150
_COLOURS: Final = {"critical": "#d32f2f", "error": "#e8590c", "warning": "#e0a100", "info": "#2b7cd3"}


class Config(BaseModel):
    webhook_url: SecretStr = Field(
        description="The incoming webhook's URL, https://hooks.slack.com/services/…"
    )


class Driver(BaseDriver[Config]):
    """Posts a card to a Slack channel."""

    Config = Config
    concurrency = 1  # about one message a second is what Slack takes; in order

    async def send(self, message: Message, http: Client) -> str:
        body = msgspec.json.encode(card(message))
        url = self.config.webhook_url.get_secret_value()
        response = await http.post(url, body, {"Content-Type": "application/json"}, self.timeout)
        response.require_success()
        said = response.text()
        if said != "ok":  # Slack answers 200 with an error inside
            raise Rejected(f"Slack said: {said}")
        return said


def card(message: Message) -> dict[str, Any]:
    """The message as Block Kit, its colour telling the severity."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": message.headline[:MAX_HEADER]}}
    ]
    blocks += [_section(_line(alert)) for alert in message.alerts]
    if message.more_alerts:
        blocks.append(_section(f"… and {message.more_alerts} more"))
    if message.findings:
        blocks.append(_section("\n".join(f"• {_cut(finding, 250)}" for finding in message.findings[:9])))
    links = [_link(message.url, "Open in Tocsin")]
    if message.runbook:
        links.append(_link(message.runbook, "Runbook"))
    if message.logs:
        links.append(_link(message.logs, "Logs"))
    blocks.append(_context(f"{' · '.join(links)} · {message.severity} · `{escape(message.trace_id)}`"))
    return {
        "text": _cut(message.headline, MAX_TEXT),
        "attachments": [
            {"color": _colour(message), "blocks": blocks, "fallback": message.headline[:MAX_TEXT]}
        ],
    }


def escape(text: str) -> str:
    """Alert text as text: Slack reads ``<``, ``>`` and ``&`` as its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _line(alert: MessageAlert) -> str:
    where = alert.labels.get("instance", "")
    head = f"*{_cut(alert.name, 255)}*" + (f" on {_cut(where, 255)}" if where else "")
    return f"{head} · {alert.status}" + (f"\n{_cut(alert.text, 600)}" if alert.text else "")


def _cut(text: str, most: int) -> str:
    """Text of at most ``most`` characters, escaped: first cut, so that no ``&amp;`` is cut in two."""
    text = text if len(text) <= most else text[: most - 1] + "…"
    while len(escape(text)) > most * 2:  # almost nothing but signs that Slack wants written out
        text = text[: len(text) // 2]
    return escape(text)


def _link(url: str, label: str) -> str:
    return f"<{escape(url).replace('|', '%7C')}|{label}>"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def _colour(message: Message) -> str:
    if message.kind == RESOLVED:
        return "#2e9e5b"
    return "#6b7280" if message.kind == ACKNOWLEDGED else _COLOURS.get(message.severity, "#6b7280")
