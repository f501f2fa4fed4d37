"""What a message says in plain words, for services that take little more than text. What does not fit is
cut, and a link leads to the rest."""

from typing import Final

from tocsin.notify.message import ACKNOWLEDGED, DIGEST, RESOLVED, Message, MessageAlert

GREEN, GREY = "#2e9e5b", "#6b7280"
_COLOURS: Final = {"critical": "#d32f2f", "error": "#e8590c", "warning": "#e0a100", "info": "#2b7cd3"}


def colour(message: Message) -> str:
    """Its severity as people see it; green when all is over, grey when somebody is on it."""
    if message.kind == RESOLVED:
        return GREEN
    return GREY if message.kind == ACKNOWLEDGED else _COLOURS.get(message.severity, GREY)


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


def lines(message: Message) -> list[str]:
    """What it says below its headline, the most important first."""
    said = [message.body] if message.body else [told_of(alert) for alert in message.alerts]
    if message.actor and not message.body:
        said.insert(0, message.text)
    if message.more_alerts and not message.body:
        said.append(f"… and {message.more_alerts} more")
    said += [cut(finding, 250) for finding in message.findings[:9]]
    if message.owner and message.kind not in (RESOLVED, DIGEST):
        said.append(f"{message.owner} is on it")
    if message.note:
        said.append(message.note)
    return said


def links(message: Message) -> list[tuple[str, str]]:
    """Where to go from here: a name and a URL each."""
    named = [("Open in Tocsin", message.url), ("Runbook", message.runbook), ("Logs", message.logs)]
    return [(name, url) for name, url in named if url]


def plain(message: Message, most: int, *, headline: bool = True, link: bool = True) -> str:
    """All of it in at most ``most`` characters; the link to the incident and the trace always fit."""
    ending = "\n\n" + (f"{message.url}\n" if link else "") + f"trace {message.trace_id}"
    said = "\n\n".join([message.headline, *lines(message)] if headline else lines(message))
    return cut(said, max(0, most - len(ending))) + ending
