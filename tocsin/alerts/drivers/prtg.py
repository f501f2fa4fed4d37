"""PRTG's notification "Execute HTTP action": the form its operator wrote with PRTG's placeholders.

https://www.paessler.com/manuals/prtg/notification_templates_settings
https://kb.paessler.com/en/topic/373-what-placeholders-can-i-use-with-prtg
"""

import re
from datetime import datetime
from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity
from tocsin.core.errors import Rejected

MARKS: Final = ("sensorid", "deviceid", "groupid", "probeid", "lastvalue", "lastmessage", "laststatus",
                "statesince", "linksensor", "linkdevice", "priority", "down", "downtime",
                "datetime")  # fmt: skip
LEVELS: Final = {"down": severity.CRITICAL, "up": severity.INFO, "unusual": severity.WARNING}
# "Down ended (now: Up)", "Down (Acknowledged)", "Paused (paused by user)"
STATE: Final = re.compile(r"(?P<was>[A-Za-z]+)(?: ended \(now: (?P<now>[A-Za-z]+))?")
AT_REST: Final = {"paused", "none"}


class Driver(DocumentDriver):
    """PRTG: a sensor that is down, warns, is acknowledged or is up again."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        if not (part.text("sensor", "name") and part.text("device") and part.text("status", "state")):
            return 0
        return 80 if part.has("sensorid") else 60 if any(mark in part.value for mark in MARKS) else 30

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        name = part.text("sensor", "name") or part.need("sensor")
        told = part.text("status", "state") or part.need("status")
        status, level = _state(told)
        if status is None:
            return None
        device, host = part.text("device", "server"), part.text("host")
        labels = {
            "alertname": name,
            "instance": device or host,
            "device": device,
            "host": host,
            "severity": told,
        }
        labels |= part.fields("sensorid", "deviceid", "group", "groupid", "probe", "probeid", "location")
        words = {"summary": part.text("message", "lastmessage")}
        words |= part.fields("status", "lastvalue", "down", "downtime", "coverage", "priority", "comments")
        at = _moment(part)
        return AlertEvent(
            labels=filled(labels),
            status=status,
            name=name,
            severity=level,
            annotations=filled(words),
            starts_at=None if status == "resolved" else at,
            ends_at=at if status == "resolved" else None,
            generator_url=part.text("linksensor", "linkdevice", "home"),
            # Every server counts its sensors from one.
            fingerprint=identity("prtg", device or host, part.text("sensorid") or name),
        )


def _state(told: str) -> tuple[Status | None, str]:
    found = STATE.match(told)
    state = (found["now"] or found["was"]).lower() if found else ""
    level = LEVELS.get(state, severity.WARNING)
    if state in AT_REST:
        return None, level
    if "acknowledged" in told.lower():
        return "acknowledged", level
    return ("resolved" if state == "up" else "firing"), level


def _moment(part: Part) -> datetime | None:
    """The form's time: in the server's language, ``21.11.2026 04:15:00 [a zone's name]``, and without its
    offset. One that cannot be read is left out: the alert is worth more than its time."""
    told = {"datetime": part.text("datetime").partition("[")[0].strip()}
    try:
        return Part(told).moment("datetime")
    except Rejected:
        return None
