"""VMware vRealize (Aria) Operations' REST notifications, JSON or XML.

https://techdocs.broadcom.com/us/en/vmware-cis/aria/aria-operations.html
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

_MARK: Final = "ALERT_CRITICALITY_LEVEL_"
_LEVELS: Final = {
    "CRITICAL": severity.CRITICAL, "IMMEDIATE": severity.ERROR, "WARNING": severity.WARNING,
    "INFO": severity.INFO, "INFORMATION": severity.INFO, "NONE": severity.INFO,
}  # fmt: skip
_OVER: Final = {"CANCELED", "CANCELLED", "INACTIVE"}
_LABELS: Final = (
    "alertId", "resourceId", "resourceName", "resourceKind", "adapterKind", "type", "subType",
    "attributeKeyID",
)  # fmt: skip


class Driver(DocumentDriver):
    """vRealize Operations' alerts."""

    def fits(self, payload: object) -> int:
        alert = _alert(Part(payload))
        if alert.text("criticality").startswith(_MARK):
            return 95
        return 80 if alert.has("alertId", "resourceId", "adapterKind", "criticality") else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        alert = _alert(part)
        name, word = alert.need("alertName", "type"), alert.text("criticality")
        # It sets cancelDate from the beginning: only the status says whether the alert is over.
        over = alert.text("status").upper() in _OVER
        return AlertEvent(
            labels=filled(
                alert.fields(*_LABELS)
                | {"alertname": name, "instance": alert.text("resourceName", "resourceId")}
                | {"severity": word}
            ),
            status="resolved" if over else "firing",
            name=name,
            severity=_LEVELS.get(word.removeprefix(_MARK).upper(), severity.WARNING),
            annotations=filled(
                {"summary": alert.text("info")} | alert.fields("Health", "Risk", "Efficiency", "controlState")
            ),
            starts_at=alert.moment("startDate"),
            ends_at=alert.moment("cancelDate") if over else None,
            fingerprint=identity("vrealize", alert.text("alertId")),
        )


def _alert(whole: Part) -> Part:
    """In XML the alert is the root element."""
    inner = whole.part("alert")
    return inner if inner.has("criticality") else whole
