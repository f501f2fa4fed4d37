"""Google Cloud Monitoring's webhook notification channel, and Stackdriver before it.

https://cloud.google.com/monitoring/support/notification-options#webhooks
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity

STATES: Final[dict[str, Status]] = {"closed": "resolved", "acknowledged": "acknowledged"}
MARKS: Final = ("policy_name", "condition_name", "scoping_project_id", "resource_name", "started_at")


class Driver(DocumentDriver):
    """Google Cloud Monitoring (formerly Stackdriver) incidents."""

    def fits(self, payload: object) -> int:
        incident = Part(payload).part("incident")
        return 95 if incident.has("incident_id") and sum(map(incident.has, MARKS)) >= 2 else 0

    def event(self, part: Part, payload: Part) -> AlertEvent:
        incident = part.part("incident")
        name = incident.need(
            "condition_name", "condition.displayName", "policy_name", "summary", "incident_id"
        )
        status = STATES.get(incident.text("state").lower(), "firing")
        own = incident.pairs("metadata.system_labels") | incident.pairs("metadata.user_labels")
        own |= incident.pairs("metric.labels") | incident.pairs("resource.labels")
        own |= incident.pairs("policy_user_labels")
        word = incident.text(
            "severity", "policy_user_labels.severity", "metadata.user_labels.severity",
            "metadata.system_labels.severity",
        )  # fmt: skip
        labels = own | {
            "alertname": name,
            "instance": incident.text("resource_display_name", "resource_name", "resource_id"),
            "incident_id": incident.text("incident_id"),
            "policy": incident.text("policy_name"),
            "project": incident.text("scoping_project_id"),
            "resource_name": incident.text("resource_name"),
            "resource_type": incident.text("resource.type"),
            "metric": incident.text("metric.type"),
            "severity": word,
        }
        text = {
            "summary": incident.text("summary"),
            "description": incident.text("documentation.content", "documentation"),
            "subject": incident.text("documentation.subject"),
            "observed_value": incident.text("observed_value"),
            "threshold_value": incident.text("threshold_value"),
        }
        return AlertEvent(
            labels=filled(labels),
            status=status,
            name=name,
            severity=severity.read(word),
            annotations=filled(text),
            starts_at=incident.moment("started_at"),
            ends_at=incident.moment("ended_at") if status == "resolved" else None,
            generator_url=incident.text("url"),
            fingerprint=identity("gcp", incident.text("incident_id")),
        )
