"""A mail as an alert: values in, values out.

Its subject tells the name, the state and the severity (``subject.py``), and together with the sender
which alert it is. Mails may be broken in any way; what can be read of them is.
"""

import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import parseaddr
from html import unescape
from typing import Final, NamedTuple

from tocsin.alerts.events import AlertEvent, Reading
from tocsin.alerts.listeners import subject as words
from tocsin.core.errors import Rejected
from tocsin.core.labels import fingerprint

SOURCE: Final = "email"
READ_BYTES: Final = 1024 * 1024  # the text comes before what is attached
MOST_PARTS: Final = 64
LONGEST_HEADER: Final = 1_000
LONGEST_TEXT: Final = 16_384
LONGEST_HTML: Final = 512 * 1024

_CHARSET: Final = re.compile(
    r"utf[-_]?(7|8|16|32)([-_]?[bl]e)?|(us-?)?ascii|iso-?8859-?\d+|latin-?\d+|(windows|cp)-?\d+|koi8-?[rtu]"
    r"|big5(-?hkscs)?|gb(k|2312|18030)|hz|euc[-_]?(jp|kr)|s(hift)?[-_]?jis|iso-2022-[a-z0-9-]+|mac-?roman|tis-?620",
    re.I,
)


class _Tool(NamedTuple):
    """A tool that tells in headers what others tell in the subject."""

    name: str
    status: str
    identity: tuple[str, ...]
    instance: str = ""


_TOOLS: Final = (
    _Tool(
        "netdata",
        "X-Netdata-Severity",
        ("X-Netdata-Host", "X-Netdata-Chart", "X-Netdata-Alert-Name"),
        "X-Netdata-Host",
    ),
    _Tool("jenkins", "X-Jenkins-Result", ("X-Jenkins-Job",)),
    _Tool("gitlab", "X-GitLab-Pipeline-Status", ("X-GitLab-Project-Path", "X-GitLab-Pipeline-Ref")),
)
_TOOL_OVER: Final = frozenset({"clear", "success", "fixed", "ok"})


def read(content: bytes) -> Reading:
    """The alert that a mail tells. Raises Rejected where it tells nothing, or cannot be taken apart."""
    if content.lower().count(b"multipart/") > MOST_PARTS:
        raise Rejected(f"the mail has more than {MOST_PARTS} parts within parts")
    try:
        mail = BytesParser(policy=compat32).parsebytes(content[:READ_BYTES])
        headers, text = _Headers(mail), _text(mail)
    except RecursionError as error:
        raise Rejected("the mail's parts are nested too deeply") from error
    subject = headers.get("Subject") or text.partition("\n")[0][:200].strip()
    if not subject:
        raise Rejected("the mail has neither a subject nor a text")
    if _is_our_own(headers):
        raise Rejected("this is a message of Tocsin's own; it would go in circles")
    return Reading([_event(headers, subject, text)])


class _Headers:
    """A mail's headers as plain text, whatever they were written in."""

    def __init__(self, mail: "Message[str, str]") -> None:
        self._told: dict[str, str] = {}
        for name, value in mail.raw_items():
            self._told.setdefault(name.lower(), value)

    def get(self, name: str) -> str:
        """A header's text; empty where there is none."""
        raw = self._told.get(name.lower(), "")[: LONGEST_HEADER * 4]
        return " ".join(_plain(_words(raw)).split())[:LONGEST_HEADER]


def _words(raw: str) -> str:
    """A header with its encoded words decoded; bytes beyond ASCII are UTF-8, or Latin-1 where not."""
    told = _decoded(raw.encode("utf-8", "surrogateescape"), "")
    try:
        parts = decode_header(told)
    except (HeaderParseError, ValueError):
        return told
    return "".join(
        part if isinstance(part, str) else _decoded(part, charset or "latin-1") for part, charset in parts
    )


def _decoded(raw: bytes, charset: str) -> str:
    if _CHARSET.fullmatch(charset):
        try:
            return raw.decode(charset, "replace")
        except (LookupError, UnicodeError):
            pass  # no such charset after all
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _plain(text: str) -> str:
    """Without what no alert may hold."""
    text = text.encode("utf-8", "replace").decode()
    return "".join(char for char in text if char in "\n\t" or char.isprintable() or char.isspace())


def _text(mail: "Message[str, str]") -> str:
    """The text part; where there is none, the html part without its markup."""
    found: dict[str, str] = {}
    for part in mail.walk():
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment":
            found.setdefault(kind, _content(part))
    text = found.get("text/plain", "")
    if not text.strip():
        text = without_markup(found.get("text/html", ""))
    lines = (" ".join(line.split()) for line in _plain(text).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:LONGEST_TEXT].strip()


def _content(part: "Message[str, str]") -> str:
    payload = part.get_payload(decode=True)
    charset = part.get_param("charset", "")
    if isinstance(charset, tuple):  # RFC 2231
        charset = charset[2]
    return _decoded(payload[:LONGEST_HTML], str(charset)) if isinstance(payload, bytes) else ""


_TAG: Final = re.compile(r"<[^<>]*>|[^<]+|<")
_TAG_NAME: Final = re.compile(r"</?\s*([a-zA-Z0-9]+)")
_UNSEEN: Final = frozenset({"style", "script", "head", "title"})
_BREAKS: Final = frozenset(
    {"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol", "hr", "pre"}
)


def without_markup(html: str) -> str:
    """The text of a page as people see it. Takes time in proportion to its length, whatever it holds."""
    seen: list[str] = []
    unseen, in_comment = "", False
    for token in _TAG.findall(html):
        if in_comment or token.startswith("<!--"):
            in_comment = "-->" not in token
            continue
        tag = _TAG_NAME.match(token)
        name = tag[1].lower() if tag else ""
        if unseen:
            unseen = "" if name == unseen and token.startswith("</") else unseen
        elif name in _UNSEEN and not token.startswith("</") and not token.endswith("/>"):
            unseen = name
        elif name in _BREAKS:
            seen.append("\n")
        elif not (tag or token.startswith("<!")):
            seen.append(" ".join(unescape(token).split(" ")))
    return "".join(seen)


def _is_our_own(headers: _Headers) -> bool:
    return bool(headers.get("X-Correlation-Id")) and headers.get("References").startswith("<incident-")


def _event(headers: _Headers, subject: str, text: str) -> AlertEvent:
    sender = _address(headers.get("From"))
    name = words.identity(subject)
    labels = {"alertname": name or subject, "from": sender}
    key = {"via": SOURCE, "from": sender, "subject": (name or _thread(headers)).lower()}
    status, level = words.state(subject, text), words.level(subject, text)
    if tool := next((tool for tool in _TOOLS if headers.get(tool.status)), None):
        told = {name: value for name in tool.identity if (value := headers.get(name))}
        key = {"via": SOURCE, "tool": tool.name, **told}
        labels |= {
            "tool": tool.name,
            "instance": headers.get(tool.instance),
            "alertname": _last(told, subject),
        }
        word = headers.get(tool.status).lower()
        status = "resolved" if word in _TOOL_OVER else "firing"
        level = words.LEVEL.get(word, level)
    return AlertEvent(
        labels={name: value for name, value in labels.items() if value},
        status=status,
        name=subject,
        severity=level,
        annotations=_annotations(headers, subject, text),
        fingerprint=fingerprint(key),
    )


def _address(sender: str) -> str:
    try:
        return (parseaddr(sender)[1] or sender).lower()
    except RecursionError:  # comments within comments
        return sender.lower()


def _last(told: dict[str, str], otherwise: str) -> str:
    return list(told.values())[-1] if told else otherwise


def _annotations(headers: _Headers, subject: str, text: str) -> dict[str, str]:
    told = {
        "summary": subject,
        "description": text,
        "to": headers.get("To"),
        "date": headers.get("Date"),
        "message_id": headers.get("Message-ID"),
        "in_reply_to": headers.get("In-Reply-To"),
    }
    return {name: value for name, value in told.items() if value}


def _thread(headers: _Headers) -> str:
    """What a mail that names nothing belongs to: the first mail of its thread, or itself."""
    thread = headers.get("References") or headers.get("In-Reply-To") or headers.get("Message-ID")
    return thread.split()[0] if thread else ""
