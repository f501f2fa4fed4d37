"""Alert drivers: one file for each monitoring tool's payload. Pure: bytes in, alerts out.

To add one, write ``<name>.py`` with a ``Driver`` and put a recorded payload beside what it should
give under ``tests/fixtures/drivers/<name>/``. Nothing else changes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

from tocsin.alerts import document
from tocsin.alerts.document import Part
from tocsin.alerts.events import AlertEvent, Problem, Reading
from tocsin.core import config
from tocsin.core.errors import Rejected, UnknownPlugin
from tocsin.core.registry import Registry


class BaseDriver(ABC):
    """Reads one tool's payloads."""

    @abstractmethod
    def fits(self, payload: object) -> int:
        """How surely a decoded payload (see ``document.read``) is this tool's: 0 not at all, 100 beyond
        doubt. Below 50 where another tool may write the same."""

    @abstractmethod
    def parse(self, body: bytes) -> Reading:
        """Read a body. Raises Rejected, which says what is wrong and where; one bad alert among
        good ones is named in the reading's errors instead."""


class DocumentDriver(BaseDriver):
    """Reads payloads part by part; one that cannot be read costs itself alone."""

    def parts(self, payload: Part) -> Iterable[Part]:
        """The parts that speak of one alert each: the payload itself, unless this is overridden."""
        return [payload]

    @abstractmethod
    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        """Read one; None where it speaks of no alert. Raises Rejected, which names the field."""

    def parse(self, body: bytes) -> Reading:
        return self.read(document.read(body))

    def read(self, payload: Any) -> Reading:
        """Read a decoded payload; see ``parse``."""
        whole = Part(payload)
        if not whole.value:
            raise Rejected("expected an object")
        reading = Reading([], [])
        for index, part in enumerate(self.parts(whole)):
            try:
                event = self.event(part, whole)
            except Rejected as error:
                reading.errors.append(Problem(index, str(error)))
                continue
            if event is not None:
                reading.alerts.append(event)
        if reading.errors and not reading.alerts:
            raise Rejected(reading.errors[0].message)
        return reading


class Drivers(Registry[BaseDriver]):
    """The drivers of this installation: agents push to hubs alone. Asked for with each post, and by
    detection for all of them, so that what is found stays known."""

    @cached_property
    def _on_hubs(self) -> list[str]:
        return super().names()

    @cached_property
    def _elsewhere(self) -> list[str]:
        return [name for name in self._on_hubs if name not in OF_HUBS]

    @cached_property
    def _found(self) -> dict[str, type[BaseDriver]]:
        return {}

    def names(self) -> list[str]:
        return self._on_hubs if config.flag("CLUSTER_ENABLED") else self._elsewhere

    def get(self, name: str) -> type[BaseDriver]:
        if name in OF_HUBS and not config.flag("CLUSTER_ENABLED"):
            raise UnknownPlugin(f"there is no driver {name!r} here: this is no hub (CLUSTER_ENABLED)")
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = super().get(name)
        return found


OF_HUBS: Final = frozenset({"cluster"})
drivers = Drivers(__name__, BaseDriver)
