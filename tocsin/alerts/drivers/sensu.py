"""Sensu events, as a handler posts them: Sensu Go's and Sensu Core's.

https://docs.sensu.io/sensu-go/latest/observability-pipeline/observe-events/events/
https://docs.sensu.io/sensu-core/latest/reference/events/
"""

from datetime import datetime
from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

WORDS: Final = {"0": "ok", "1": "warning", "2": "critical"}  # any other status is unknown


class Driver(DocumentDriver):
    """Sensu: a check that fails or passes on an entity; metrics alone are no alert."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        if part.has("entity.metadata.name") and (part.has("check.metadata") or part.has("metrics")):
            return 90
        return 85 if part.has("client.name", "check.name", "check.status") else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        check, entity = part.part("check"), part.part("entity" if part.has("entity") else "client")
        if not check.value and part.has("metrics"):
            return None
        name = check.text("metadata.name") or check.need("name")
        host = entity.text("metadata.name") or entity.need("name")
        space = part.text("metadata.namespace", "entity.metadata.namespace", "check.metadata.namespace")
        code = check.need("status").removesuffix(".0")
        word = WORDS.get(code, "unknown")
        resolved = code == "0"
        told = check.moment("executed", "issued") or part.moment("timestamp")
        labels = entity.pairs("metadata.labels") | check.pairs("metadata.labels")
        labels |= {"alertname": name, "instance": host, "entity": host, "check": name, "namespace": space}
        labels |= {"severity": word, "environment": entity.text("environment")}
        words = check.pairs("metadata.annotations") | {"summary": check.text("output").strip()}
        words |= check.fields("state", "command", "occurrences") | part.fields("occurrences")
        return AlertEvent(
            labels=filled(labels),
            status="resolved" if resolved else "firing",
            name=name,
            severity=severity.read(word),
            annotations=filled(words),
            starts_at=None if resolved else _began(check) or told,
            ends_at=told if resolved else None,
            fingerprint=identity("sensu", space or "-", host, name),
        )


def _began(check: Part) -> datetime | None:
    """When the first of the failures in a row was seen; Sensu Go keeps the last twenty results."""
    began = None
    for result in reversed(list(check.parts("history"))):
        if result.text("status") in ("", "0"):
            break
        began = result.moment("executed")
    return began
