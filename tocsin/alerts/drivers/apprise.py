"""Apprise's own formats: ``json://``, ``form://`` and ``xml://`` (SOAP).

https://github.com/caronc/apprise/wiki/Notify_Custom_JSON
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

_LEVELS: Final = {
    "failure": severity.CRITICAL, "warning": severity.WARNING,
    "success": severity.INFO, "info": severity.INFO,
}  # fmt: skip
_SOAP: Final = "Envelope.Body.Notification"
_OWN: Final = {"version", "title", "message", "type", "attachments", "attach_type"}


class Driver(DocumentDriver):
    """Messages of Apprise's JSON, form and XML services."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        if whole.part(_SOAP).text("MessageType"):
            return 90
        marks = whole.has("version", "title", "message") and whole.text("type") in _LEVELS
        return 80 if marks else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        soap = part.part(_SOAP)
        message = soap if soap.value else part
        text, kind = message.text("message", "Message"), message.text("type", "MessageType")
        title = message.text("title", "Subject") or text.partition("\n")[0]
        name = title or message.need("title")
        # What is given as :key=value in Apprise's URL comes along as a field of its own.
        own = {} if soap.value else {key: told for key, told in part.pairs().items() if key not in _OWN}
        return AlertEvent(
            labels=filled(own | {"alertname": name, "type": kind, "severity": kind}),
            status="resolved" if kind == "success" else "firing",
            name=name,
            severity=_LEVELS.get(kind, severity.WARNING),
            annotations=filled({"summary": name, "description": text}),
            fingerprint=identity("apprise", name, *own.values()),
        )
