"""A stand-in for Loki's query_range: keeps to what is documented of its parameters and answers.

https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver, receiver

PATH = "/loki/api/v1/query_range"
MOST = 5_000  # max_entries_limit_per_query
HOUR = 3_600 * 10**9
_QUERY = re.compile(r'\{(?P<labels>[^}]*)\}(?: \|= (?P<text>"(?:[^"\\]|\\.)*"))?')
_LABEL = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')


class Loki:
    """``push`` lines of a stream; they are found by its labels, a text in them, and their time."""

    def __init__(self, behind: Receiver) -> None:
        self._behind = behind
        self._entries: list[tuple[dict[str, str], int, str]] = []
        behind.answer_to = self._answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._behind.port}"

    @property
    def requests(self) -> list[Received]:
        return self._behind.received

    def push(self, labels: dict[str, str], nanoseconds: int, line: str) -> None:
        """Take one line in."""
        self._entries.append((labels, nanoseconds, line))

    def _answer(self, received: Received) -> Answer:
        parts = urlsplit(received.path)
        if parts.path != PATH:
            return Answer(404, b"404 page not found\n", {"Content-Type": "text/plain"})
        asked = {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}
        query = _QUERY.fullmatch(asked.get("query", ""))
        if query is None or not (labels := dict(_LABEL.findall(query["labels"]))):
            return _wrong("parse error at line 1, col 1: syntax error")
        limit = int(asked.get("limit", "100"))
        if limit > MOST:
            return _wrong(f"max entries limit per query exceeded ({limit} > {MOST})")
        end = int(asked["end"])
        start = int(asked.get("start", end - HOUR))
        if end <= start:
            return _wrong("the query time range is invalid")
        wanted = {name: msgspec.json.decode(value) for name, value in labels.items()}
        text = msgspec.json.decode(query["text"]) if query["text"] else ""
        found = [
            (stream, at, line)
            for stream, at, line in self._entries
            if wanted.items() <= stream.items() and text in line and start <= at < end
        ]
        newest_first = asked.get("direction", "backward") == "backward"
        found.sort(key=lambda entry: entry[1], reverse=newest_first)
        return _told(found[:limit])


def _told(found: list[tuple[dict[str, str], int, str]]) -> Answer:
    streams: dict[str, dict[str, Any]] = {}
    for labels, at, line in found:
        stream = streams.setdefault(str(sorted(labels.items())), {"stream": labels, "values": []})
        stream["values"].append([str(at), line])
    data = {"resultType": "streams", "result": list(streams.values()), "stats": {"summary": {}}}
    body = msgspec.json.encode({"status": "success", "data": data})
    return Answer(200, body, {"Content-Type": "application/json; charset=UTF-8"})


def _wrong(said: str) -> Answer:
    return Answer(400, said.encode(), {"Content-Type": "text/plain; charset=utf-8"})


@contextmanager
def loki() -> Iterator[Loki]:
    """A Loki on a free port, gone at the end."""
    with receiver() as behind:
        yield Loki(behind)
