"""Coralogix' generic outbound webhook, as its default message writes it.

https://coralogix.com/docs/user-guides/alerting/outbound-webhooks/generic-outbound-webhooks-alert-webhooks/
"""

from typing import Final

from tocsin.alerts.document import Part, as_text, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

_LABELS: Final = {
    "team", "application", "subsystem", "computer", "ipAddress", "severity", "priority",
    "category", "companyId", "alertUniqueIdentifier",
}  # fmt: skip
_WITHIN: Final = ("log_url", "threshold", "timewindow", "duration", "errors", "spans", "group_by_labels")


class Driver(DocumentDriver):
    """Coralogix' alerts, triggered and resolved."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        if not whole.has("alert_action", "alert_id"):
            return 0
        return 90 if isinstance(whole.get("fields"), list) else 60

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        name, alert, fields = part.need("name"), _filled(part.text("alert_id")), _fields(part)
        groups = _groups(fields)
        word, over = fields.get("severity", ""), part.text("alert_action").lower().startswith("resolve")
        at = Part(fields).moment("timestampISO", "timestampMs", "timestamp")
        return AlertEvent(
            labels=filled(
                groups
                | {key: told for key, told in fields.items() if key in _LABELS}
                | {"alertname": name, "alert_id": alert, "service": _filled(part.text("service"))}
                | {"instance": fields.get("computer", "")}
            ),
            status="resolved" if over else "firing",
            name=name,
            severity=severity.read(word or fields.get("priority")),
            annotations=filled(
                {key: told for key, told in fields.items() if key not in _LABELS}
                | {key: _filled(told) for key, told in part.fields(*_WITHIN).items()}
                | {"summary": fields.get("text", ""), "description": part.text("description")}
            ),
            starts_at=None if over else at,
            ends_at=at if over else None,
            generator_url=_filled(part.text("alert_url")),
            fingerprint=identity("coralogix", fields.get("dedupKey", ""))
            or identity("coralogix", alert, *groups.values()),
        )


def _filled(text: str) -> str:
    """Nothing for a placeholder that was left as it was: $SERVICE, *insert desired name*, null."""
    return "" if text.startswith(("$", "*insert ")) or text == "null" else text


def _fields(part: Part) -> dict[str, str]:
    """Its fields, which name some keys twice; the first that is filled in counts."""
    found: dict[str, str] = {}
    for field in part.parts("fields"):
        key, told = field.text("key"), _filled(as_text(field.get("value")))
        if key and told:
            found.setdefault(key, told)
    return found


def _groups(fields: dict[str, str]) -> dict[str, str]:
    """What it groups by, told as pairs of a field and its value; at most two."""
    names = ((fields.get(f"Group-by Field{n}"), fields.get(f"Group-by Value{n}")) for n in (1, 2))
    return {name: value for name, value in names if name and value}
