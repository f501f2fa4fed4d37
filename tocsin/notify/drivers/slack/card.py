"""A message as Slack shows it: Block Kit in an attachment, whose colour tells the severity.
https://docs.slack.dev/reference/block-kit/blocks"""

from typing import Any, Final

from tocsin.notify.message import ACKNOWLEDGED, DIGEST, RESOLVED, TEST, Message, MessageAlert
from tocsin.notify.wording import colour, links

MAX_TEXT: Final = 2900  # Slack takes 3,000 characters in a section
MAX_HEADER: Final = 150
SILENCES: Final = {"1h": "1 hour", "4h": "4 hours", "1d": "1 day", "7d": "7 days"}
# What a press of a button asks for; ``chat`` does it.
ACKNOWLEDGE, RESOLVE, SILENCE, MORE = (
    "tocsin_acknowledge", "tocsin_resolve", "tocsin_silence", "tocsin_more"
)  # fmt: skip
APPROVE, REFUSE = "tocsin_approve", "tocsin_refuse"
MORE_DEEDS: Final = {
    "why": "Why was I told?",
    "assign": "Assign to me",
    "note": "Add a note",
    "escalate": "Escalate",
}


def card(message: Message, buttons: bool = False) -> dict[str, Any]:
    """The whole of it, as a message of its own."""
    blocks = [_header(message.headline), *_told(message), *_asked(message, buttons)]
    if buttons and _can_be_acted_on(message):
        blocks.append(_buttons(message))
    blocks.append(_foot(message))
    return _message(message, blocks)


def answer(message: Message) -> dict[str, Any]:
    """What is new, as an answer below the card of its incident."""
    head = f"*{cut(message.headline, 255)}*" + (f" by {cut(message.actor, 150)}" if message.actor else "")
    return _message(message, [_section(head), *_told(message), *_asked(message), _foot(message)])


def _message(message: Message, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    shown = {"color": colour(message), "blocks": blocks, "fallback": message.headline[:MAX_TEXT]}
    return {"text": cut(message.headline, MAX_TEXT), "attachments": [shown]}


def _told(message: Message) -> list[dict[str, Any]]:
    if message.body:
        told = [_section(cut(message.body, MAX_TEXT))]
    else:
        told = [_section(_line(alert)) for alert in message.alerts]
        if message.more_alerts:
            told.append(_section(f"… and {message.more_alerts} more"))
    if message.findings:
        told.append(_section("\n".join(f"• {cut(finding, 250)}" for finding in message.findings[:9])))
    said = [message.note]
    if message.owner and message.kind not in (RESOLVED, DIGEST):
        said.insert(0, f"{message.owner} is on it")
    return told + [_section(cut(text, 500)) for text in said if text]


def _asked(message: Message, buttons: bool = False) -> list[dict[str, Any]]:
    """What its runs ask; with ``buttons``, to be answered in place."""
    blocks = []
    for question in message.asks:
        link = _link(question.url, "Answer in Tocsin")
        told = cut(question.answer, 300) or f"Until {question.until:%Y-%m-%d %H:%M} UTC · {link}"
        blocks.append(_section(f"*{cut(question.text, 600)}*\n{told}"))
        if buttons and not question.answer:
            about = f"{question.run_id}:{question.node}"
            yes = {**_button(APPROVE, "Approve", about), "style": "primary"}
            blocks.append({"type": "actions", "elements": [yes, _button(REFUSE, "Refuse", about)]})
    return blocks


def _can_be_acted_on(message: Message) -> bool:
    return message.incident_id is not None and message.kind not in (RESOLVED, DIGEST, TEST)


def _buttons(message: Message) -> dict[str, Any]:
    """Each knows its incident; who pressed it is told by Slack."""
    about = str(message.incident_id)
    buttons = [_button(RESOLVE, "Resolve", about)]
    if message.kind != ACKNOWLEDGED:
        buttons.insert(0, {**_button(ACKNOWLEDGE, "Acknowledge", about), "style": "primary"})
    silence = {
        "type": "static_select",
        "action_id": SILENCE,
        "placeholder": _plain("Silence …"),
        "options": [_option(f"Silence {words}", f"{about}:{time}") for time, words in SILENCES.items()],
    }
    more = {
        "type": "overflow",
        "action_id": MORE,
        "options": [_option(words, f"{about}:{deed}") for deed, words in MORE_DEEDS.items()],
    }
    return {"type": "actions", "elements": [*buttons, silence, more]}


def _button(action: str, words: str, value: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action, "text": _plain(words), "value": value}


def _option(words: str, value: str) -> dict[str, Any]:
    return {"text": _plain(words), "value": value}


def _foot(message: Message) -> dict[str, Any]:
    named = [_link(url, name) for name, url in links(message)]
    return _context(" · ".join([*named, message.severity, f"`{escape(message.trace_id)}`"]))


def escape(text: str) -> str:
    """Alert text as text: Slack reads ``<``, ``>`` and ``&`` as its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _line(alert: MessageAlert) -> str:
    where = alert.labels.get("instance", "")
    head = f"*{cut(alert.name, 255)}*" + (f" on {cut(where, 255)}" if where else "")
    return f"{head} · {alert.status}" + (f"\n{cut(alert.text, 600)}" if alert.text else "")


def cut(text: str, most: int) -> str:
    """Text escaped, of at most ``most`` characters; no ``&amp;`` is cut in two."""
    shown, size = [], 0
    for sign in text:
        shown.append(escape(sign))
        size += len(shown[-1])
        if size > most:
            while size > most - 1:
                size -= len(shown.pop())
            return "".join(shown) + "…"
    return "".join(shown)


def _link(url: str, label: str) -> str:
    return f"<{escape(url).replace('|', '%7C')}|{label}>"


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": _plain(text[:MAX_HEADER])}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}
