"""Answers as Slack shows them: to the one who asked alone. Texts of ours are mrkdwn; those of others go
through ``plain``."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from tocsin.notify.drivers.slack.card import MAX_TEXT, cut, escape

MOST_SECTIONS: Final = 12
NOTE: Final = "tocsin_note"
LINK: Final = "tocsin_link"


def plain(text: str, most: int = 255) -> str:
    """Somebody else's text, to stand in ours on one line: it calls nobody and links nowhere."""
    return cut(" ".join(text.split()), most)


def link(url: str, label: str) -> str:
    """A link."""
    return f"<{escape(url).replace('|', '%7C')}|{plain(label)}>"


def told(lines: Sequence[str], title: str = "") -> dict[str, Any]:
    """Lines as an answer; what Slack has no room for is left out, and that is said."""
    head = [f"*{title}*"] if title else []
    sections = list(_sections([*head, *lines]))
    if len(sections) > MOST_SECTIONS:
        sections = [*sections[:MOST_SECTIONS], "… and more"]
    blocks = [_section(text) for text in sections]
    return {**_ephemeral((title or lines[0])[:150]), "blocks": blocks}


def say(text: str) -> dict[str, Any]:
    """A sentence, of whatever words."""
    return told([plain(text[:1].upper() + text[1:], 2000)])


def asked_to_link(url: str) -> dict[str, Any]:
    """Who is not known here is told how to change that."""
    words = (
        "Tocsin does not know yet who you are. Open this link within 15 minutes, sign in, and what you "
        "pressed is done. It is meant for you alone."
    )
    button = {
        "type": "button",
        "action_id": LINK,
        "text": {"type": "plain_text", "text": "Link my account"},
        "url": url,
        "style": "primary",
    }
    blocks = [_section(words), {"type": "actions", "elements": [button]}]
    return {**_ephemeral("Link your account first."), "blocks": blocks}


def note_form(incident_id: int, title: str) -> dict[str, Any]:
    """The form for a note on an incident."""
    field = {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": 3000}
    return {
        "type": "modal",
        "callback_id": NOTE,
        "private_metadata": str(incident_id),
        "title": {"type": "plain_text", "text": f"Note on #{incident_id}"[:24]},
        "submit": {"type": "plain_text", "text": "Add"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            _section(plain(title)),
            {
                "type": "input",
                "block_id": "note",
                "label": {"type": "plain_text", "text": "What is to be remembered"},
                "element": field,
            },
        ],
    }


def wrong_note(text: str) -> dict[str, Any]:
    """The form stays open and says what is wrong."""
    return {"response_action": "errors", "errors": {"note": text[:150]}}


def _ephemeral(text: str) -> dict[str, Any]:
    return {"response_type": "ephemeral", "replace_original": False, "text": text}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _sections(lines: Iterable[str]) -> Iterable[str]:
    """Lines in as few texts as Slack takes; a line is never cut in two."""
    text = ""
    for line in lines:
        if text and len(text) + len(line) + 1 > MAX_TEXT:
            yield text
            text = ""
        text = f"{text}\n{line}" if text else line
    if text:
        yield text
