"""Monit's own protocol towards M/Monit: XML to a ``/collector``, each cycle's status and each event.

https://mmonit.com/documentation/http-api/Methods/Events
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity
from tocsin.core.errors import Rejected

OVER, FAILED, CHANGED, UNCHANGED = "0", "1", "2", "3"
STATUS: Final[dict[str, Status]] = {
    OVER: "resolved", FAILED: "firing", CHANGED: "firing", UNCHANGED: "resolved"
}  # fmt: skip
LEVELS: Final = {
    OVER: severity.INFO,
    FAILED: severity.ERROR,
    CHANGED: severity.WARNING,
    UNCHANGED: severity.INFO,
}
NOTICES: Final = {"65536", "262144"}  # Monit itself started, stopped or reloaded; somebody told it to act
A_CHANGE_LASTS: Final = timedelta(days=1)


class Driver(DocumentDriver):
    """Monit: a service that failed, changed or is well again; its periodic status is no alert."""

    def fits(self, payload: object) -> int:
        return 95 if Part(payload).has("monit.server") or Part(payload).has("monit.event") else 0

    def parts(self, payload: Part) -> Iterable[Part]:
        return payload.parts("monit.event")

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        state, kind = part.need("state"), part.text("id")
        status = STATUS.get(state)
        if status is None:
            return None
        name = part.need("service")
        host = payload.text("monit.server.localhostname")
        told = part.moment("collected_sec")
        notice = kind in NOTICES
        labels = {"alertname": name, "instance": host or name, "service": name, "host": host}
        return AlertEvent(
            labels=filled(labels | part.fields("type", "id")),
            status=status,
            name=name,
            severity=severity.INFO if notice else LEVELS[state],
            annotations=filled({"summary": part.text("message")} | part.fields("state", "action")),
            starts_at=told if status == "firing" and not notice else None,
            ends_at=told if status == "resolved" else None,
            # Nobody will ever say that a change is over.
            expires_at=_a_day_after(told) if told and state == CHANGED else None,
            fingerprint=identity("monit", payload.text("monit.@id", "monit.server.id"), name, kind),
        )


def _a_day_after(told: datetime) -> datetime:
    try:
        return told + A_CHANGE_LASTS
    except OverflowError as error:
        raise Rejected(f"collected_sec: {told.isoformat()} is out of range") from error
