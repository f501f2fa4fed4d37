"""Notify drivers: one file (or folder with templates) for each service. Pure: a message and a config
in, requests out.

To add one, write ``<name>.py`` with a ``Config`` and a ``Driver``, and a test against the service's
stand-in under ``tests/fakes/``; what speaks HTTP gets an entry in ``tests/notify/test_bad_receivers.py``.
The form, the docs and the validation come from its Config. A service whose messages can be found again is
spoken to by a ``ThreadedDriver``: it says how to post, change and answer one, and ``threads.py`` decides by
which of these a message is told.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Final, Generic, TypeVar

import msgspec
from pydantic import BaseModel

from tocsin.core.errors import Rejected
from tocsin.core.http import Client
from tocsin.core.registry import Registry
from tocsin.notify.message import Message

C = TypeVar("C", bound=BaseModel)
Handle = dict[str, str]  # the service's own words for a message that it has, kept with the incident

NEW, EDIT, THREAD, EDIT_THREAD = "new", "edit", "thread", "edit_thread"
MODES: Final = (NEW, EDIT, THREAD, EDIT_THREAD)


class Gone(Rejected):
    """The message that was to be changed or answered is no longer there: a new one may be posted."""


class Rate(msgspec.Struct, frozen=True):
    """What a service takes: so many messages a second in the long run, and a ``burst`` at once."""

    per_second: float
    burst: int = 1


class BaseDriver(ABC, Generic[C]):
    """Speaks one service's language.

    ``rate`` is what the service takes from one sender, where it says so; ``folds`` says whether people read
    what it brings, one by one, so that a storm is folded into a digest unless the channel says otherwise.
    """

    Config: ClassVar[type[BaseModel]]
    concurrency: ClassVar[int] = 16
    timeout: ClassVar[float] = 10.0
    rate: ClassVar[Rate | None] = None
    folds: ClassVar[bool] = False
    shows_owner: ClassVar[bool] = False  # it is told who takes an incident on, besides what happens to it
    hosts: ClassVar[tuple[str, ...]] = ()  # of the service: an address there is meant for this driver
    modes: ClassVar[tuple[str, ...]] = (NEW,)  # the first is what a channel does unless it says otherwise

    def __init__(self, config: C) -> None:
        self.config = config

    @abstractmethod
    async def send(self, message: Message, http: Client) -> str:
        """Send one message; return what the receiver said, in short.

        Raises Unavailable (try again, perhaps after ``retry_after``), Unclear (a few times, as each may bring
        it once more) or Rejected (it never will).
        """


class ThreadedDriver(BaseDriver[C]):
    """One whose service lets a message be changed or answered later. Each call may come twice for one
    message, after a crash. Raises as ``send`` does; ``edit`` and ``reply`` also Gone."""

    modes: ClassVar[tuple[str, ...]] = MODES

    async def send(self, message: Message, http: Client) -> str:
        handle = await self.post(message, http)
        return " ".join(f"{name}={value}" for name, value in handle.items()) or "ok"

    @abstractmethod
    async def post(self, message: Message, http: Client) -> Handle:
        """Post a new message; return what it is found by."""

    @abstractmethod
    async def edit(self, handle: Handle, message: Message, http: Client) -> None:
        """Let the message that was posted say this instead."""

    @abstractmethod
    async def reply(self, handle: Handle, message: Message, http: Client) -> None:
        """Answer the message that was posted."""


drivers: Registry[BaseDriver[BaseModel]] = Registry(__name__, BaseDriver)
