"""What a message says in a service's markup. Alert text is data: it is escaped so that it marks nothing,
mentions nobody and hides nothing, and cut before it is escaped, so that no mark is cut in two."""

import html as entities
import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from tocsin.notify.message import Message
from tocsin.notify.wording import about, beside, links, sign

MAX_HEADLINE: Final = 300

_STEERING: Final = re.compile(  # control characters, and those that turn the direction of text around
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_MENTION: Final = re.compile(r"(?<![^\W_])@(?=\w)")
# Addresses stay as they are, so that they can be followed; what they hold means nothing in Markdown.
_MARKS: Final = re.compile(
    r"(https?://[\w\-./:?=&%#+,;$]+)|([\\`*_~|<]|\](?=[(\[:])|&(?=#?\w+;)|^[#>+=-])", re.M
)
_INDENT: Final = re.compile(r"^[ \t]+", re.M)


class Markup(msgspec.Struct, frozen=True):
    """How a service wants text: ``size`` measures it as the service does."""

    escape: Callable[[str], str]
    bold: Callable[[str], str]
    link: Callable[[str, str], str]
    newline: str = "\n"
    size: Callable[[str], int] = len


def tidy(text: str) -> str:
    """Text without what steers a screen, and with ``@`` where it calls nobody."""
    return _MENTION.sub("@\u200b", _STEERING.sub("", text)).strip()


def utf16(text: str) -> int:
    """Its length in UTF-16 units, by which some services count."""
    return len(text.encode("utf-16-le")) // 2


def utf8(text: str) -> int:
    """Its length in bytes."""
    return len(text.encode())


def in_json(text: str) -> int:
    """Its length in bytes where it stands in JSON."""
    return len(msgspec.json.encode(text))


def markdown(size: Callable[[str], int] = len) -> Markup:
    """Markdown of the chats: a line break is one, and a backslash takes a mark its meaning."""
    return Markup(_as_markdown, lambda text: f"**{text}**", lambda name, url: f"[{name}]({url})", size=size)


def html(newline: str = "\n", size: Callable[[str], int] = len) -> Markup:
    """HTML; some services want ``<br>`` for a line break."""

    def escape(text: str) -> str:
        return entities.escape(text).replace("\n", newline)

    def link(name: str, url: str) -> str:
        return f'<a href="{entities.escape(url)}">{name}</a>'

    return Markup(escape, lambda text: f"<b>{text}</b>", link, newline, size)


def text(size: Callable[[str], int] = len) -> Markup:
    """No markup at all."""
    return Markup(str, str, lambda name, url: f"{name}: {url}", size=size)


def _as_markdown(text: str) -> str:
    text = _INDENT.sub(lambda found: "\u00a0" * len(found[0]), text)  # which would make it code
    return _MARKS.sub(lambda found: found[1] or f"\\{found[2]}", text)


def fit(text: str, most: int, markup: Markup) -> str:
    """A text, escaped, of at most ``most`` as the service counts."""
    text = tidy(text)
    whole = markup.escape(text)
    if markup.size(whole) <= most:
        return whole
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if markup.size(markup.escape(text[:middle] + "…")) <= most:
            low = middle
        else:
            high = middle - 1
    return markup.escape(text[:low] + "…") if low else ""


def headline(message: Message, most: int, markup: Markup) -> str:
    """Its headline in one line."""
    return fit(" ".join(tidy(message.headline).split()) or message.kind, most, markup)


def said(message: Message, most: int, markup: Markup) -> str:
    """What it says below its headline. Of many alerts those are left out that find no room, and counted;
    what was found and who is on it may take half of it."""
    found = (fit(line, most // 2, markup) for line in beside(message))
    ending = markup.newline.join(_fitting(filter(None, found), most // 2, markup))
    gap, count = _gap(markup), markup.escape("… and 1234567 more")
    room = most - markup.size(ending) - markup.size(gap + count + gap)
    if message.body:
        return gap.join(filter(None, [fit(message.body, room, markup), ending]))
    parts = about(message)
    shown = _fitting((_part(text, room, markup) for text in parts), room, markup)
    left = len(parts) - len(shown) + message.more_alerts
    more = [markup.escape(f"… and {left} more")] if left else []
    return gap.join(filter(None, [*shown, *more, ending]))


def linked(message: Message, most: int, markup: Markup) -> str:
    """Where to go from here, in a line."""
    found = [markup.link(name, url) for name, url in links(message)]
    return " · ".join(_fitting(found, most, markup))


def source(message: Message, most: int, markup: Markup) -> str:
    """Its severity, and the trace by which all of its story is found."""
    return fit(" ".join(f"{message.severity} · trace {message.trace_id}".split()), most, markup)


def whole(message: Message, most: int, markup: Markup) -> str:
    """All of it, for services that show one text."""
    head = f"{sign(message)} {markup.bold(headline(message, MAX_HEADLINE, markup))}"
    ending = linked(message, most // 2, markup), source(message, MAX_HEADLINE, markup)
    gap = _gap(markup)
    room = most - sum(markup.size(part + gap) for part in (head, *ending))
    return gap.join(filter(None, [head, said(message, room, markup), *ending]))


def _part(text: str, most: int, markup: Markup) -> str:
    """An alert, its first line bold."""
    head, _, rest = text.partition("\n")
    head = fit(head, most // 2, markup)
    marked = markup.bold(head) if head else ""
    room = most - markup.size(marked) - markup.size(markup.newline)
    return markup.newline.join(filter(None, [marked, fit(rest, max(0, room), markup)]))


def _fitting(parts: Iterable[str], most: int, markup: Markup) -> list[str]:
    """The first of them, as many as fit with gaps between."""
    found: list[str] = []
    for part in parts:
        most -= markup.size(part) + (markup.size(_gap(markup)) if found else 0)
        if most < 0:
            break
        found.append(part)
    return found


def _gap(markup: Markup) -> str:
    return markup.newline * 2
