"""Calls ASGI applications in this process, as a server would, and waits for their answers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgspec

Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass
class Answer:
    """What an application answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def message(self) -> str:
        """An error's sentence for people."""
        found: str = self.json["message"]
        return found


@dataclass
class Request:
    """One request, its path as a URL has it; the body goes over in the given pieces."""

    path: str
    pieces: Iterable[bytes] = (b"",)
    method: str = "POST"
    headers: Mapping[str, str] | None = None
    hang_up: bool = False  # after the pieces, in the middle of the body

    def scope(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        given = {"content-type": "application/json"}
        given |= {name.lower(): value for name, value in (self.headers or {}).items()}
        return {
            "type": "http",
            "method": self.method,
            "path": unquote(path),
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in given.items() if v],
        }


async def call(application: Application, request: Request) -> Answer:
    """Send one request and return its answer; what the application raises is raised here."""
    pieces = list(request.pieces)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        return {
            "type": "http.request",
            "body": pieces.pop(0),
            "more_body": bool(pieces) or request.hang_up,
        }

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(request.scope(), receive, send)
    start, *rest = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    body = b"".join(message["body"] for message in rest)
    assert int(headers["content-length"]) == len(body)
    return Answer(start["status"], headers, body)


async def call_all(application: Application, requests: Iterable[Request]) -> list[Answer]:
    """Send requests at the same moment."""
    return list(await asyncio.gather(*(call(application, request) for request in requests)))
