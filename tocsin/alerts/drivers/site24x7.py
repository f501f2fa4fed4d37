"""Site24x7's webhook with its incident parameters, as JSON or a form.

https://www.site24x7.com/help/admin/third-party-integration/webhooks.html
https://www.site24x7.com/help/admin/configuration-profiles/incident-parameters.html
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

LEVELS: Final = {
    "DOWN": severity.CRITICAL, "CRITICAL": severity.CRITICAL, "TROUBLE": severity.WARNING, "UP": severity.INFO
}  # fmt: skip
AT_REST: Final = {"MAINTENANCE", "SUSPENDED", "DISCOVERY", "DISCOVERY IN PROGRESS"}
LABELS: Final = {
    "monitor_id": "MONITOR_ID", "monitor_url": "MONITORURL", "monitor_type": "MONITORTYPE",
    "monitor_group": "MONITOR_GROUPNAME", "severity": "STATUS",
}  # fmt: skip
WORDS: Final = {
    "summary": "INCIDENT_REASON", "description": "INCIDENT_DETAILS", "failed_locations": "FAILED_LOCATIONS",
    "root_cause": "RCA_LINK", "downtime": "DOWNTIME_DURATION", "reason": "REASON", "group_tags": "GROUP_TAGS",
    "tags": "TAGS", "attributes": "FAILED_ATTRIBUTES",
}  # fmt: skip


class Driver(DocumentDriver):
    """Site24x7: a monitor that is down, critical or in trouble, and up again."""

    def fits(self, payload: object) -> int:
        return 95 if Part(payload).has("MONITORNAME", "STATUS") else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        name, state = part.need("MONITORNAME"), part.need("STATUS").upper()
        if state in AT_REST:
            return None
        resolved = state == "UP"
        url = part.text("MONITORURL")
        at = part.moment("INCIDENT_TIME_ISO", "ct", "OUTAGE_TIME_UNIX_FORMAT")
        labels = {label: part.text(field) for label, field in LABELS.items()}
        words = {word: part.text(field) for word, field in WORDS.items()}
        return AlertEvent(
            labels=filled(labels | {"alertname": name, "instance": url or name}),
            status="resolved" if resolved else "firing",
            name=name,
            severity=LEVELS.get(state) or severity.read(state),
            annotations=filled(words),
            starts_at=None if resolved else at,
            ends_at=at if resolved else None,
            generator_url=part.text("MONITOR_DASHBOARD_LINK", "RCA_LINK"),
            fingerprint=identity("site24x7", part.text("MONITOR_ID"))
            or identity("site24x7", url or "-", name),
        )
