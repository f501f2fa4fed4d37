"""Our log as Loki has it, by its query_range: https://grafana.com/docs/loki/latest/reference/loki-http-api/"""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

import msgspec

from tocsin.core import clock, config
from tocsin.core.errors import Misconfigured, Rejected, Unavailable
from tocsin.core.http import Client
from tocsin.fleet.logs.line import Asked, Line, newest, parse

SECONDS: Final = 10.0
BACK: Final = timedelta(hours=24)  # where nobody says since when: Loki itself looks back an hour alone
AT_ONCE: Final = 500
PAGES: Final = 10
MOST_BYTES: Final = 8 << 20


class _Stream(msgspec.Struct):
    values: list[list[Any]]  # nanoseconds and line, both as text; structured metadata may follow


class _Data(msgspec.Struct):
    result: list[_Stream]


class _Answer(msgspec.Struct):
    data: _Data


_decode: Final = msgspec.json.Decoder(_Answer).decode


def read(url: str, asked: Asked) -> list[Line]:
    """The newest lines that were asked for. Raises Unavailable, Forbidden, Rejected or Misconfigured."""
    return asyncio.run(_read(url, asked, clock.now()))


def selector() -> str:
    """The stream selector of ``TOCSIN_LOKI_LABELS``. Raises Misconfigured."""
    pairs = []
    for word in config.words("TOCSIN_LOKI_LABELS"):
        name, equals, value = word.partition("=")
        if not (equals and value and name.isidentifier() and name.isascii()):
            raise Misconfigured(f"TOCSIN_LOKI_LABELS: {word!r} is no label: write name=value")
        pairs.append(f"{name}={_quoted(value)}")
    return "{" + ", ".join(pairs) + "}"


async def _read(url: str, asked: Asked, now: datetime) -> list[Line]:
    place, headers = _place(url)
    query = selector() + (f" |= {_quoted(asked.trace_id)}" if asked.trace_id else "")
    end = _nanoseconds(asked.until or now) + 1  # Loki leaves out what is at the end itself
    start = _nanoseconds(asked.since or (asked.until or now) - BACK)
    http, found, seen = Client(), list[Line](), set[tuple[int, str]]()
    try:
        for _ in range(PAGES):
            given = {"query": query, "start": start, "end": end, "limit": AT_ONCE, "direction": "backward"}
            answer = await http.get(
                f"{place}/loki/api/v1/query_range?{urlencode(given)}", headers, SECONDS, most=MOST_BYTES
            )
            answer.require_success()
            told = _entries(answer.body)
            fresh = [entry for entry in told if entry not in seen]
            found += [line for at, text in fresh if asked.wants(line := _line(at, text))]
            if len(told) < AT_ONCE or not fresh or len(found) >= asked.limit:
                break
            seen.update(fresh)
            end = min(told)[0] + 1  # others may bear the very time of the oldest
    finally:
        http.close()
    return newest(found, asked.limit)


def _entries(body: bytes) -> list[tuple[int, str]]:
    try:
        streams = _decode(body).data.result
        return [(int(value[0]), str(value[1])) for stream in streams for value in stream.values]
    except (msgspec.DecodeError, ValueError, IndexError) as error:
        raise Unavailable(f"TOCSIN_LOGS: this is no answer of Loki's: {error}") from error


def _line(at: int, text: str) -> Line:
    return parse(text) or Line(datetime.fromtimestamp(at / 1e9, UTC), "info", "", text, "", {})


def _place(url: str) -> tuple[str, dict[str, str]]:
    """Where to ask, and the header that a user and password in the URL make."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Rejected(f"TOCSIN_LOGS: not a URL: {error}") from error
    user, at, host = parts.netloc.rpartition("@")
    basic = base64.b64encode(unquote(user).encode()).decode()
    plain = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    return plain, {"Authorization": f"Basic {basic}"} if at else {}


def _quoted(text: str) -> str:
    """A text as LogQL has it, whose strings are Go's."""
    return msgspec.json.encode(text.replace("\0", "")).decode()


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000
