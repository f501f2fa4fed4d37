"""Where the log of a trace can be read: a URL made of ``TOCSIN_LOG_LINK``, else of our own ``/api/logs``."""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from tocsin.core import config
from tocsin.core.errors import Misconfigured

LONGEST: Final = 1_500  # what messages have room for
MARGIN: Final = timedelta(minutes=5)  # of what led to it, and of what followed


def template() -> str:
    """The setting, checked. Raises Misconfigured for what is no web address."""
    given = config.text("TOCSIN_LOG_LINK")
    try:
        parts = urlsplit(given)
        web = parts.scheme in ("http", "https") and bool(parts.hostname) and "{" not in parts.netloc
    except ValueError:
        web = False
    if given and not (web and given.isprintable() and " " not in given and len(given) <= LONGEST):
        raise Misconfigured(
            "TOCSIN_LOG_LINK must begin with http:// or https:// and a host, and have at most "
            f"{LONGEST:,} characters, none of them a space"
        )
    return given


def link(made_of: str, trace_id: str, began: datetime, ended: datetime, here: str = "") -> str:
    """The log of a trace, from a while before it began to a while after its end. What is filled in is
    percent-encoded; other braces stay as they are. ``here`` is where we are reached, for links from
    elsewhere."""
    if not made_of:
        return f"{here}/api/logs?{urlencode({'correlation_id': trace_id})}"
    values = {"trace_id": quote(trace_id, safe=""), "start": _ms(began - MARGIN), "end": _ms(ended + MARGIN)}
    for name, value in values.items():
        made_of = made_of.replace(f"{{{name}}}", value)
    return made_of


def _ms(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))
