"""What a message says in plain words, for services that take little more than text. What does not fit is
cut, and a link leads to the rest."""

from typing import Final
from urllib.parse import quote, urlsplit

from tocsin.notify.message import ACKNOWLEDGED, DIGEST, RESOLVED, Message, MessageAlert

MAX_URL: Final = 2000
GREEN, GREY = "#2e9e5b", "#6b7280"
_COLOURS: Final = {"critical": "#d32f2f", "error": "#e8590c", "warning": "#e0a100", "info": "#2b7cd3"}
_SIGNS: Final = {"critical": "🔴", "error": "🟠", "warning": "🟡", "info": "🔵"}


def colour(message: Message) -> str:
    """Its severity as people see it; green when all is over, grey when somebody is on it."""
    if message.kind == RESOLVED:
        return GREEN
    return GREY if message.kind == ACKNOWLEDGED else _COLOURS.get(message.severity, GREY)


def sign(message: Message) -> str:
    """The same where a service shows no colours."""
    if message.kind == RESOLVED:
        return "✅"
    return "👀" if message.kind == ACKNOWLEDGED else _SIGNS.get(message.severity, "⚪")


def cut(text: str, most: int) -> str:
    """At most ``most`` characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def cut_bytes(text: str, most: int) -> str:
    """At most ``most`` bytes of UTF-8, no character cut in two."""
    if len(text.encode()) <= most:
        return text
    return text.encode()[: max(0, most - 3)].decode(errors="ignore").rstrip() + "…"


def told_of(alert: MessageAlert) -> str:
    """An alert in a line or two: ``HighCPU on web-1 · firing``, then its source's words."""
    where = alert.labels.get("instance", "")
    head = alert.name + (f" on {where}" if where and where not in alert.name else "")
    return f"{head} · {alert.status}" + (f"\n{cut(alert.text, 600)}" if alert.text else "")


def about(message: Message) -> list[str]:
    """What it is about: a template's text, or a person's deed and the alerts."""
    if message.body:
        return [message.body]
    deed = [message.text] if message.actor else []
    return deed + [told_of(alert) for alert in message.alerts]


def beside(message: Message) -> list[str]:
    """What is to be known besides: what was found, who is on it, why it comes this way."""
    said = [cut(finding, 250) for finding in message.findings[:9]]
    if message.owner not in ("", message.actor) and message.kind not in (RESOLVED, DIGEST):
        said.append(f"{message.owner} is on it")
    if message.note:
        said.append(message.note)
    return said + [question.words for question in message.asks]


def lines(message: Message) -> list[str]:
    """What it says below its headline, the most important first."""
    more = [f"… and {message.more_alerts} more"] if message.more_alerts and not message.body else []
    return about(message) + more + beside(message)


def links(message: Message) -> list[tuple[str, str]]:
    """Where to go from here: a name and a URL each, fit to stand in any markup."""
    named = [("Open in Tocsin", message.url), ("Runbook", message.runbook), ("Logs", message.logs)]
    return [(name, url) for name, given in named if (url := _web(given))]


def _web(url: str) -> str:
    """A URL that a browser opens; empty where it is none: some services refuse a whole message for it."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        whole = None
    fit = quote(url, safe="%/:?#[]@!$&*+,;=~", errors="replace") if whole else ""
    return fit if len(fit) <= MAX_URL else ""


def plain(message: Message, most: int, *, headline: bool = True, link: bool = True) -> str:
    """All of it in at most ``most`` characters; the link to the incident and the trace always fit."""
    ending = "\n\n" + (f"{message.url}\n" if link else "") + f"trace {message.trace_id}"
    said = "\n\n".join([message.headline, *lines(message)] if headline else lines(message))
    return cut(said, max(0, most - len(ending))) + ending
