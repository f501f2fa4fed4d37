"""Alert drivers: one file for each monitoring tool's payload. Pure: bytes in, alerts out.

To add one, write ``<name>.py`` with a ``Driver`` and put a recorded payload beside what it should
give under ``tests/fixtures/drivers/<name>/``. Nothing else changes.
"""

from abc import ABC, abstractmethod

from tocsin.alerts.events import Reading
from tocsin.core.registry import Registry


class BaseDriver(ABC):
    """Reads one tool's payloads."""

    @abstractmethod
    def fits(self, payload: object) -> int:
        """How surely a decoded JSON payload is this tool's: 0 not at all, 100 beyond doubt."""

    @abstractmethod
    def parse(self, body: bytes) -> Reading:
        """Read a body. Raises Rejected, which says what is wrong and where; one bad alert among
        good ones is named in the reading's errors instead."""


drivers: Registry[BaseDriver] = Registry(__name__, BaseDriver)
