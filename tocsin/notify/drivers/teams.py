"""Microsoft Teams, by a workflow's webhook or an old connector's.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
https://adaptivecards.io/explorer/RichTextBlock.html
https://learn.microsoft.com/outlook/actionable-messages/message-card-reference
"""

import re
from typing import Any, Final, Literal

import msgspec
from pydantic import BaseModel, Field

from tocsin.core.errors import Rejected, Unavailable
from tocsin.core.http import Client, Response
from tocsin.notify import markup
from tocsin.notify.answer import require_no_page
from tocsin.notify.drivers import BaseDriver, Rate
from tocsin.notify.markup import in_json
from tocsin.notify.message import ACKNOWLEDGED, RESOLVED, Message
from tocsin.notify.secret_url import SecretUrl
from tocsin.notify.wording import colour, links

MAX_TEXT: Final = 12_000  # Teams takes 28 KB in all by its documentation, some 20 as people find
BLOCK: Final = 130  # what a line costs besides its text
BOLD: Final = "\x02"  # no text holds it: markup takes control characters out
HTML: Final = markup.html("<br>", size=in_json)
TEXT: Final = markup.text(size=in_json)
_STYLES: Final = {"critical": "attention", "error": "attention", "warning": "warning", "info": "accent"}
# Connectors answer 200 whatever happens.
_STATUS: Final = re.compile(r"returned HTTP error (\d+)")
_FAILED: Final = re.compile(r"delivery failed|Exception", re.I)


class Config(BaseModel):
    webhook_url: SecretUrl = Field(description="The URL that the workflow or the connector shows")
    style: Literal["adaptive_card", "message_card"] = Field(
        default="adaptive_card", description="message_card is for old connectors that take no adaptive cards"
    )


class Driver(BaseDriver[Config]):
    """Posts a card to a Microsoft Teams channel or chat."""

    Config = Config
    concurrency = 1  # in order
    rate = Rate(per_second=2, burst=4)
    timeout = 20.0
    folds = True
    hosts = ("logic.azure.com", "powerplatform.com", "webhook.office.com")

    async def send(self, message: Message, http: Client) -> str:
        card = message_card(message) if self.config.style == "message_card" else adaptive_card(message)
        url, headers = self.config.webhook_url.get_secret_value(), {"Content-Type": "application/json"}
        answer = await http.post(url, msgspec.json.encode(card), headers, self.timeout)
        _require_success(answer)
        return f"HTTP {answer.status}"


def _require_success(answer: Response) -> None:
    """Raise for an error inside a success, too."""
    answer.require_success()
    require_no_page(answer)
    said = answer.text(2_000)
    status = _STATUS.search(said)
    if status and status[1].startswith("4") and status[1] not in ("408", "429"):
        raise Rejected(f"Teams said: {answer.text()}")
    if status or _FAILED.search(said):
        raise Unavailable(f"Teams said: {answer.text()}")


def adaptive_card(message: Message) -> dict[str, Any]:
    """The message as an adaptive card. Its words stand in text runs, in which no markup means anything."""
    title = markup.headline(message, markup.MAX_HEADLINE, TEXT)
    source = markup.source(message, markup.MAX_HEADLINE, TEXT)
    lines = msgspec.structs.replace(TEXT, bold=lambda text: BOLD + text, size=_size)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [
            {
                "type": "Container",
                "style": _style(message),
                "bleed": True,
                "items": [_line(title, size="Medium", weight="Bolder")],
            },
            *_lines(markup.said(message, MAX_TEXT, lines)),
            _line(source, size="Small", isSubtle=True) | {"spacing": "Medium"},
        ],
        "actions": [{"type": "Action.OpenUrl", "title": name, "url": url} for name, url in links(message)],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _size(text: str) -> int:
    """What a text costs as lines of a card."""
    return in_json(text) + BLOCK * text.count("\n")


def _style(message: Message) -> str:
    if message.kind == RESOLVED:
        return "good"
    return "emphasis" if message.kind == ACKNOWLEDGED else _STYLES.get(message.severity, "emphasis")


def _lines(said: str) -> list[dict[str, Any]]:
    """A block for each line: a text run shows no line breaks."""
    blocks, spacing = [], "Medium"
    for line in said.split("\n"):
        text = line.lstrip(BOLD)
        if text.strip():
            weight = {"weight": "Bolder"} if line.startswith(BOLD) else {}
            blocks.append(_line(text, **weight) | {"spacing": spacing})
        spacing = "None" if line else "Medium"
    return blocks


def _line(text: str, **look: object) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}


def message_card(message: Message) -> dict[str, Any]:
    """The message as an old connector's card, its words in HTML."""
    title = markup.headline(message, markup.MAX_HEADLINE, TEXT)
    paragraphs = [
        markup.said(message, MAX_TEXT, HTML),
        markup.source(message, markup.MAX_HEADLINE, HTML),
    ]
    return {
        "@type": "MessageCard",
        "@context": "https://schema.org/extensions",
        "summary": title,
        "title": title,
        "themeColor": colour(message).removeprefix("#"),
        "sections": [{"text": "<br><br>".join(filter(None, paragraphs)), "markdown": False}],
        "potentialAction": [
            {"@type": "OpenUri", "name": name, "targets": [{"os": "default", "uri": url}]}
            for name, url in links(message)
        ],
    }
