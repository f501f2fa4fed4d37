"""Pingdom's state change webhooks, for uptime and for transaction checks.

https://www.pingdom.com/resources/webhooks/
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

GOOD: Final = {"UP", "SUCCESS"}
MARKS: Final = ("previous_state", "importance_level", "state_changed_timestamp", "check_params", "check_type")


class Driver(DocumentDriver):
    """Pingdom: a check that is down or failing, and up again."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        if not part.has("check_id", "current_state"):
            return 0
        found = sum(mark in part.value for mark in MARKS)
        return min(60 + 10 * found, 95) if found else 30

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        name, check = part.need("check_name"), part.need("check_id")
        resolved = part.need("current_state").upper() in GOOD
        host = part.text("check_params.hostname")
        link = part.text("check_params.full_url", "check_params.url")
        word = part.text("importance_level")
        at = part.moment("state_changed_timestamp", "state_changed_utc_time")
        labels = {"alertname": name, "instance": host or link or name, "check_id": check, "hostname": host}
        labels |= {
            "check_type": part.text("check_type"),
            "tags": ",".join(part.texts("tags")),
            "severity": word,
        }
        words = {"summary": part.text("description"), "description": part.text("long_description")}
        words |= part.fields("custom_message", "current_state", "previous_state")
        words |= {
            "first_probe": part.text("first_probe.location"),
            "second_probe": part.text("second_probe.location"),
        }
        return AlertEvent(
            labels=filled(labels),
            status="resolved" if resolved else "firing",
            name=name,
            severity=severity.read(word),
            annotations=filled(words),
            starts_at=None if resolved else at,
            ends_at=at if resolved else None,
            generator_url=link if link.startswith("http") else "",
            fingerprint=identity("pingdom", check),
        )
