"""What the stand-ins of services share: they listen on a free port, and keep what they were asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver, receiver

S = TypeVar("S", bound="Service")


class Service:
    """A service; a subclass says what it answers. ``answers`` come first, in order, like a receiver's."""

    def __init__(self, behind: Receiver) -> None:
        self._behind = behind
        self.answers = behind.answers
        behind.answer_to = self.answer

    def answer(self, received: Received) -> Answer:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._behind.port}"

    @property
    def requests(self) -> list[Received]:
        return self._behind.received


class Invalid(Exception):
    """What a service refuses, in its own words."""


def json(status: int, body: Any, **headers: str) -> Answer:
    """An answer in JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, msgspec.json.encode(body), {"Content-Type": "application/json", **named})


@contextmanager
def running(kind: type[S]) -> Iterator[S]:
    """A service on a free port, gone at the end."""
    with receiver() as behind:
        yield kind(behind)
