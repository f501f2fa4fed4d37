"""Reading a payload without taking it in: by a mapping, by a driver, or by the one that fits it best."""

from collections.abc import Mapping as Map
from typing import Any, Final

from tocsin.alerts import mapping
from tocsin.alerts.detect import detect
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import Reading
from tocsin.alerts.intake.limits import keep_good
from tocsin.alerts.sources import Sender, labelled
from tocsin.core.errors import Rejected

MAPPED: Final = "mapping"


def read(
    body: bytes, *, driver: str = "", given: Map[str, Any] | None = None, sender: Sender | None = None
) -> tuple[str, Reading]:
    """What read it, and the alerts as they would be taken in, as ``sender``'s where there is one.
    ``given`` is a mapping. Raises Rejected, and UnknownPlugin for a driver that is none."""
    try:
        read_by, reading = _read(body, driver, given)
    except RecursionError as error:
        raise Rejected("it is nested too deeply") from error
    return read_by, keep_good(labelled(reading, sender) if sender else reading)


def _read(body: bytes, driver: str, given: Map[str, Any] | None) -> tuple[str, Reading]:
    if given:
        return MAPPED, mapping.read(given, body)
    name = driver or detect(body)
    return name, drivers.get(name)().parse(body)
