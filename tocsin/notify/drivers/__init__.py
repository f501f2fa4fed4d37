"""Notify drivers: one file (or folder with templates) for each service. Pure: a message and a config
in, one request out.

To add one, write ``<name>.py`` with a ``Config`` and a ``Driver``, and a test against the service's
stand-in under ``tests/fakes/``. The form, the docs and the validation come from its Config.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel

from tocsin.core.http import Client
from tocsin.core.registry import Registry
from tocsin.notify.message import Message

C = TypeVar("C", bound=BaseModel)


class BaseDriver(ABC, Generic[C]):
    """Speaks one service's language."""

    Config: ClassVar[type[BaseModel]]
    concurrency: ClassVar[int] = 16
    timeout: ClassVar[float] = 10.0

    def __init__(self, config: C) -> None:
        self.config = config

    @abstractmethod
    async def send(self, message: Message, http: Client) -> str:
        """Send one message; return what the receiver said, in short.

        Raises Unavailable (try again, perhaps after ``retry_after``) or Rejected (it never will).
        """


drivers: Registry[BaseDriver[BaseModel]] = Registry(__name__, BaseDriver)
