"""How the pages word times, links and snapshots, and what each of them counts."""

from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec
from django import template
from django.utils.html import format_html

from tocsin.alerts.models import ParkedPayload
from tocsin.core import clock, terminal

register = template.Library()
register.filter(terminal.took)

SNAPSHOT_SHOWN: Final = 4000


def ago(moment: datetime, now: datetime) -> str:
    """How long it is since, or until, a moment: ``3 min ago``, ``in 2 h``."""
    seconds = (now - moment).total_seconds()
    size = abs(seconds)
    if size < 45:
        return "just now" if seconds >= 0 else "in a moment"
    if size < 90 * 60:
        words = f"{max(1, round(size / 60))} min"
    elif size < 36 * 3600:
        words = f"{round(size / 3600)} h"
    else:
        words = f"{round(size / 86400)} d"
    return f"{words} ago" if seconds >= 0 else f"in {words}"


@register.simple_tag
def when(moment: datetime | None) -> str:
    """A moment, relative to now; the exact one in its title."""
    if moment is None:
        return "–"
    exact = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, ago(moment, clock.now())
    )


@register.filter
def moment(text: str) -> datetime | None:
    """A moment that stands in a node's output, for ``when``."""
    return datetime.fromisoformat(text) if text else None


@register.simple_tag
def parked_count() -> int:
    """How many payloads wait that nobody could read; there are never more than some hundred."""
    return ParkedPayload.objects.count()


@register.filter
def pairs(values: dict[str, object]) -> list[tuple[str, object]]:
    """Names and values; a template's own ``.items`` would give the value called so, where there is one."""
    return list(values.items())


@register.filter
def web_link(text: str) -> str:
    """The text where it is an address that is safe to follow, else nothing."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return ""
    return text.strip() if parts.scheme in ("http", "https") and parts.netloc else ""


@register.filter
def linked(text: str) -> str:
    """Text as it is, or as a link where all of it is a web address."""
    url = web_link(text)
    if not url or " " in url:
        return text
    return format_html('<a href="{}" rel="noopener noreferrer">{}</a>', url, url)


@register.filter
def in_short(reason: str) -> str:
    """A refusal's first clause."""
    return reason.splitlines()[0].partition("; ")[0] if reason else ""


@register.filter
def snapshot(value: object) -> str:
    """A stage's input or output as indented JSON, cut where it is very long."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    if len(text) <= SNAPSHOT_SHOWN:
        return text
    return f"{text[:SNAPSHOT_SHOWN]}\n… {len(text) - SNAPSHOT_SHOWN:,} more characters"
