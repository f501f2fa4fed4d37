"""A stand-in for Microsoft Teams' webhooks, a workflow's and an old connector's: keeps to their documented
rules and answers as they do, the connector with 200 whatever happens.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
https://adaptivecards.io/explorer/
"""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

FLOW = "/workflows/36e0836ee6804d5fa6f5b09b67693953/triggers/manual/paths/invoke"
SIGNED = "api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=nMN9pvbA1fn32MmVtFTE6XQz5gDsoAY3d3k"
CONNECTOR = "/webhookb2/8cc4b123@07420c3d/IncomingWebhook/477b562fb46b43ca82379479a2137a21/96010122"
MAX_CARD = 21_000  # what it takes in truth; 28 KB by its documentation
SIZES = {"Small", "Default", "Medium", "Large"}
STYLES = {"default", "emphasis", "good", "attention", "warning", "accent"}


class Teams(Service):
    """``cards`` holds what it showed."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.cards: list[dict[str, Any]] = []

    @property
    def flow(self) -> str:
        return f"{super().url}{FLOW}?{SIGNED}"

    @property
    def connector(self) -> str:
        return super().url + CONNECTOR

    def answer(self, received: Received) -> Answer:
        path, _, query = received.path.partition("?")
        if path == CONNECTOR:
            return self._by_connector(received)
        if path != FLOW:
            return json(
                404, {"error": {"code": "WorkflowNotFound", "message": "The workflow was not found."}}
            )
        if query != SIGNED:
            said = "The request must be authenticated only by Shared Access scheme."
            return json(401, {"error": {"code": "DirectApiAuthorizationRequired", "message": said}})
        body = msgspec.json.decode(received.body)
        try:
            check_adaptive(body, len(received.body))
        except Invalid as error:
            return json(400, {"error": {"code": "TriggerInputSchemaMismatch", "message": str(error)}})
        self.cards.append(body["attachments"][0]["content"])
        return Answer(202, b"")

    def _by_connector(self, received: Received) -> Answer:
        body = msgspec.json.decode(received.body)
        try:
            check_message_card(body, len(received.body))
        except Invalid as error:
            return failed(413 if "large" in str(error) else 400)
        self.cards.append(body)
        return Answer(200, b"1", {"Content-Type": "text/plain; charset=utf-8"})


def failed(status: int) -> Answer:
    """A connector's error."""
    said = (
        f"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {status} "
    )
    return Answer(200, (said + "with ContextId tcid=0,server=msgapi-production-cse").encode())


def check_adaptive(body: Any, size: int) -> None:
    """Raise Invalid unless a workflow's card action would show this."""
    if size > MAX_CARD:
        raise Invalid("Request Entity too large")
    if body.get("type") != "message" or len(body.get("attachments", [])) != 1:
        raise Invalid("Property 'type' must be 'message'")
    [attachment] = body["attachments"]
    card = attachment["content"]
    if attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
        raise Invalid("unknown contentType")
    if card.get("type") != "AdaptiveCard" or card.get("version") not in ("1.2", "1.3", "1.4"):
        raise Invalid("Property 'type' must be 'AdaptiveCard'")
    if card.get("msteams", {}).keys() - {"width"}:
        raise Invalid("this test wants nobody mentioned")
    for element in card["body"]:
        _check_element(element)
    for action in card["actions"]:
        if action["type"] != "Action.OpenUrl" or not action["title"] or not urlsplit(action["url"]).hostname:
            raise Invalid(f"no action: {action}")


def _check_element(element: dict[str, Any]) -> None:
    if element.get("spacing", "None") not in ("None", "Small", "Medium"):
        raise Invalid("unknown spacing")
    if element["type"] == "Container":
        if element["style"] not in STYLES or not element["items"]:
            raise Invalid("unknown style")
        for inner in element["items"]:
            _check_element(inner)
        return
    if element["type"] != "RichTextBlock" or not element["inlines"]:
        raise Invalid(f"unknown element {element['type']}")
    for run in element["inlines"]:
        look = run.get("size", "Default") in SIZES and run.get("weight", "Default") in ("Default", "Bolder")
        if run["type"] != "TextRun" or not run["text"].strip() or not look:
            raise Invalid(f"no text run: {run}")
        if not run["text"].isprintable() and set(run["text"]) & {"\n", "\x02", "\x00"}:
            raise Invalid("a text run shows no line breaks")


def check_message_card(body: Any, size: int) -> None:
    """Raise Invalid unless a connector would show this."""
    if size > MAX_CARD:
        raise Invalid("too large")
    if body.get("@type") != "MessageCard" or not body.get("summary", "").strip():
        raise Invalid("Summary or Text is required.")
    if len(body["themeColor"]) != 6 or len(body["potentialAction"]) > 4:
        raise Invalid("themeColor")
    for section in body["sections"]:
        if section["markdown"] is not False:
            raise Invalid("this test wants no Markdown")
        seen(section["text"])


def seen(text: str) -> str:
    """What people see of a section. Raises Invalid for tags that are not shown."""
    parser = _Html()
    parser.feed(text)
    parser.close()
    return parser.seen


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("b", "br"):
            raise Invalid(f"unknown tag {tag}")
        self.seen += "\n" if tag == "br" else ""

    def handle_data(self, data: str) -> None:
        self.seen += data
