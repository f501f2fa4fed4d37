"""Checkly's webhook alert channel, as its default template writes it.

https://www.checklyhq.com/docs/integrations/alerts/webhooks/
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

# From one state to the next; the severity is that of the worse of both.
_LEVELS: Final = {
    "ALERT_FAILURE": severity.CRITICAL,
    "ALERT_FAILURE_REMAIN": severity.CRITICAL,
    "ALERT_DEGRADED_FAILURE": severity.CRITICAL,
    "ALERT_FAILURE_DEGRADED": severity.WARNING,
    "ALERT_DEGRADED": severity.WARNING,
    "ALERT_DEGRADED_REMAIN": severity.WARNING,
    "ALERT_SSL": severity.WARNING,
    "ALERT_RECOVERY": severity.CRITICAL,
    "ALERT_DEGRADED_RECOVERY": severity.WARNING,
}
_FIRST: Final = {"ALERT_FAILURE", "ALERT_DEGRADED", "ALERT_SSL"}


class Driver(DocumentDriver):
    """Checkly's alerts of checks and of certificates that end."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        kind = whole.text("alert_type")
        known = kind.startswith("ALERT_") or kind == "NO_ALERT"
        return 90 if known and (whole.has("check_id") or whole.has("check_name")) else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        kind = part.text("alert_type")
        if kind == "NO_ALERT":
            return None
        name = part.need("check_name", "event")
        check, domain = part.text("check_id"), part.text("ssl_check_domain")
        # A certificate's end is another matter than its check's failure; nothing tells when it is mended.
        ids = (check, "ssl", domain or "*") if kind == "ALERT_SSL" else (check,)
        return AlertEvent(
            labels=filled(
                part.fields("check_id", "check_type", "group_name", "run_location", "region", "tags")
                | {"alertname": name, "instance": domain or name, "severity": kind, "alert_type": kind}
            ),
            status="resolved" if kind.endswith("_RECOVERY") else "firing",
            name=name,
            severity=_LEVELS.get(kind, severity.WARNING),
            annotations=filled(
                {"summary": part.text("event"), "description": part.text("check_error_message")}
                | part.fields(
                    "response_time", "api_check_response_status_code", "api_check_response_status_text",
                    "ssl_days_remaining", "check_result_id",
                )
            ),
            # It tells when the check that told this began: only the first failure's is the alert's start.
            starts_at=part.moment("started_at") if kind in _FIRST else None,
            generator_url=part.text("link"),
            fingerprint=identity("checkly", *ids),
        )  # fmt: skip
