"""Requests as protocols see them, without a door."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

from tocsin.alerts.apis import BaseApi, Request
from tocsin.alerts.events import Reading

NOW = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)  # shortly after the recordings


@dataclass
class Post:
    """One request; its path is as a URL has it."""

    path: str
    body: bytes
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    now: datetime = NOW

    def to(self, api: BaseApi) -> Request:
        """The request as ``api`` gets it."""
        path, _, query = self.path.partition("?")
        match = api.takes(self.method, unquote(path))
        assert match is not None, f"{self.method} {path} is not for {api.source}"
        headers = {name.lower().encode(): value.encode("latin-1") for name, value in self.headers.items()}
        asked = dict(parse_qsl(query, keep_blank_values=True))
        return Request(self.method, unquote(path), match, headers, asked, self.now, self.body)

    def read(self, api: BaseApi) -> Reading:
        """What ``api`` reads from it."""
        return api.read(self.to(api))
