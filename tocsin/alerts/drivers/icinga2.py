"""Icinga 2: its API's event streams, and commands that post its runtime macros.

https://icinga.com/docs/icinga-2/latest/doc/12-icinga2-api/#event-streams
https://icinga.com/docs/icinga-2/latest/doc/03-monitoring-basics/#runtime-macros
"""

from typing import Final

from tocsin.alerts import states
from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status

SERVICE: Final = {"0": "OK", "1": "WARNING", "2": "CRITICAL", "3": "UNKNOWN"}
HOST: Final = {"0": "UP", "1": "DOWN", "2": "DOWN", "3": "DOWN"}
STREAM: Final = {"CheckResult", "StateChange", "Notification", "AcknowledgementSet", "AcknowledgementCleared"}
MARKS: Final = ("HOSTDISPLAYNAME", "SERVICENAME", "SERVICEDISPLAYNAME", "host.name", "notification.type")


class Driver(DocumentDriver):
    """Icinga 2: a host's or a service's change of state, notification or acknowledgement."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        if part.text("type") in STREAM and part.text("host"):
            return 90
        if part.has("host.name", "check_result") or part.has("host.name", "service.check_command"):
            return 85
        stated = part.text("SERVICESTATE", "HOSTSTATE", "service.state", "host.state")
        return 88 if stated and any(part.text(mark) for mark in MARKS) and not part.has("OMD_SITE") else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        host = part.text("host.name", "HOSTNAME", "host_name") or part.need("host")
        service = part.text("service.name", "SERVICENAME", "SERVICEDESC", "service_name", "service")
        state = _state(part, bool(service))
        status = _status(part, state, "service" if service else "host")
        if status is None:
            return None
        name = service or f"{host} host"
        labels = {
            "alertname": name,
            "instance": host,
            "host": host,
            "address": part.text("host.address", "HOSTADDRESS"),
            "service": service,
            "zone": part.text("host.zone"),
            "severity": state,
        }
        began = part.moment("check_result.execution_start", "timestamp")
        ended = part.moment("check_result.execution_end", "check_result.execution_start", "timestamp")
        words = {
            "summary": part.text("check_result.output", "SERVICEOUTPUT" if service else "HOSTOUTPUT",
                                 "service.output" if service else "host.output"),
            "display_name": part.text("service.display_name", "SERVICEDISPLAYNAME",
                                      "host.display_name", "HOSTDISPLAYNAME"),
            "author": part.text("notification.author", "NOTIFICATIONAUTHORNAME", "author"),
            "comment": part.text("notification.comment", "NOTIFICATIONCOMMENT", "comment"),
            "runbook_url": part.text("service.notes_url", "host.notes_url"),
        }  # fmt: skip
        return AlertEvent(
            labels=filled(labels),
            status=status,
            name=name,
            severity=states.level(state),
            annotations=filled(words),
            starts_at=None if status == "resolved" else began,
            ends_at=ended if status == "resolved" else None,
            generator_url=part.text("service.action_url", "host.action_url"),
            fingerprint=identity("icinga2", host, service or "host"),
        )


def _state(part: Part, is_service: bool) -> str:
    """The state as a word; in its event stream Icinga counts, and does not tell hosts from services."""
    own = ("SERVICESTATE", "service.state") if is_service else ("HOSTSTATE", "host.state")
    told = part.need("check_result.state", *own, "state", "check_result.exit_status").upper()
    return (SERVICE if is_service else HOST).get(told.removesuffix(".0"), told)


def _status(part: Part, state: str, kind: str) -> Status | None:
    event = part.text("type")
    if event == "AcknowledgementSet":
        return "acknowledged"
    said = part.text("notification.type", "notification_type", "NOTIFICATIONTYPE").upper()
    status = states.status(said, state)
    taken = part.text(f"{kind}.acknowledgement", "acknowledgement").removesuffix(".0")
    return "acknowledged" if status == "firing" and taken in ("1", "2", "true") else status
