"""Splunk Observability Cloud, formerly SignalFx: the webhook of its detectors.

https://docs.splunk.com/observability/en/admin/notif-services/webhook.html
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

OVER: Final = ("ok", "manually resolved", "auto resolved", "resolved", "stopped", "cleared")
MARKS: Final = ("detectorUrl", "detectorId", "detector", "originatingMetric", "detectOnCondition",
                "statusExtended", "sf_schema", "messageTitle")  # fmt: skip


class Driver(DocumentDriver):
    """Detectors of Splunk Observability Cloud (SignalFx)."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        return 90 if whole.has("incidentId") and sum(map(whole.has, MARKS)) >= 2 else 0

    def event(self, part: Part, payload: Part) -> AlertEvent:
        # Some put what is told of the rule among the inputs of its signal.
        around = part.part("inputs")
        name = part.text("rule") or around.text("rule") or part.need("detector", "messageTitle", "incidentId")
        # The field decides, whatever the texts say: ``statusExtended`` tells more than ``status``.
        ended = part.text("statusExtended", "status").lower() in OVER
        dimensions = part.pairs("dimensions")
        word = part.text("severity")
        labels = dimensions | {
            "alertname": name,
            "incidentId": part.text("incidentId"),
            "detector": part.text("detector"),
            "detectorId": part.text("detectorId"),
            "metric": part.text("originatingMetric"),
            "severity": word,
        }
        labels["instance"] = part.text("dimensions.host", "dimensions.host.name", "dimensions.hostname",
                                       "dimensions.instance", "dimensions.AWSUniqueId")  # fmt: skip
        text = {
            "summary": part.text("messageTitle") or around.text("messageTitle"),
            "description": part.text("messageBody", "description") or around.text("description"),
            "tip": part.text("tip") or around.text("tip"),
            "runbook_url": part.text("runbookUrl") or around.text("runbookUrl"),
            "condition": part.text("detectOnCondition"),
            "image": part.text("imageUrl"),
        }
        moment = part.moment("timestamp", "timestampISO8601")
        return AlertEvent(
            labels=filled(labels),
            status="resolved" if ended else "firing",
            name=name,
            severity=severity.read(word),
            annotations=filled(text),
            starts_at=None if ended else moment,
            ends_at=moment if ended else None,
            generator_url=part.text("detectorUrl"),
            fingerprint=identity("signalfx", part.text("incidentId")),
        )
