"""What a checker found, as an alert. Without Django: agents tell their hub the same.

The alert of a checker has one name, whatever it finds, so that its changes of severity and its end belong
to one incident: ``DiskUnhealthy``, on the instance that its label names. What was found stands in its
annotation ``message``.
"""

import re
from datetime import datetime
from typing import Final

import msgspec

from tocsin.alerts.events import AlertEvent, Status
from tocsin.checkers.checks import CRITICAL, OK, UNKNOWN, WARNING, CheckResult
from tocsin.core import severity
from tocsin.core.labels import fingerprint

SOURCE: Final = "checkers"
_BETWEEN: Final = re.compile(r"[\W_]+")
LONGEST: Final = 64  # what a fingerprint may have
_READ: Final[dict[str, tuple[Status, str]]] = {
    OK: ("resolved", severity.INFO),
    WARNING: ("firing", severity.WARNING),
    CRITICAL: ("firing", severity.CRITICAL),
    UNKNOWN: ("firing", severity.WARNING),  # nobody knows that all is well
}


def alertname(checker: str) -> str:
    """What people read: ``disk`` is ``DiskUnhealthy``, ``file_age`` is ``FileAgeUnhealthy``; so for a check
    that has a name of its own."""
    return "".join(part[:1].upper() + part[1:] for part in _BETWEEN.split(checker)) + "Unhealthy"


def event(
    found: CheckResult, *, instance: str, hostname: str, now: datetime, since: datetime | None = None
) -> AlertEvent:
    """The alert that a result makes, renews or ends; ``since`` is when it began, where that is known."""
    status, level = _READ[found.status]
    name = alertname(found.checker)
    annotations = {"message": found.message}
    if found.metrics:
        annotations["metrics"] = msgspec.json.encode(found.metrics).decode()
    return AlertEvent(
        labels={"alertname": name, "checker": found.checker, "hostname": hostname, "instance": instance},
        status=status,
        name=name,
        severity=level,
        annotations=annotations,
        starts_at=since if status == "firing" else None,
        ends_at=now if status == "resolved" else None,
        fingerprint=known_by(found.checker, hostname),
    )


def known_by(checker: str, hostname: str) -> str:
    """``<checker>-<hostname>``; a name too long for a fingerprint is cut, and stays one of its own."""
    whole = f"{checker}-{hostname}"
    if len(whole) <= LONGEST:
        return whole
    rest = fingerprint({"checker": checker, "hostname": hostname})
    return f"{whole[: LONGEST - len(rest) - 1]}-{rest}"
