"""Riemann's events, as its streams post them to Alerta and to other webhooks.

https://riemann.io/concepts.html
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

_OVER: Final = {"ok", "up", "normal", "clear", "cleared", "resolved"}
_METRICS: Final = ("metric", "metric_f", "metric_d", "metric_sint64")
_OWN: Final = {"host", "service", "state", "time", "description", "tags", "ttl", *_METRICS}
_LEVELS: Final = {"down": severity.CRITICAL, "failed": severity.ERROR, "failure": severity.ERROR}


class Driver(DocumentDriver):
    """Riemann's events; one that expired counts as a problem of its service."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        # Its key words are everybody's: what tells it from others is a metric, or a time to live.
        texts = all(isinstance(whole.get(name), str) for name in ("host", "service", "state"))
        return 60 if texts and any(name in whole.value for name in (*_METRICS, "ttl")) else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        name, host, state = part.need("service"), part.text("host"), part.text("state").lower()
        over, at = state in _OVER, part.moment("time")
        own = {key: told for key, told in part.pairs().items() if key not in _OWN}
        return AlertEvent(
            labels=filled(
                own
                | {"alertname": name, "instance": host, "host": host, "service": name, "severity": state}
                | {"tags": ",".join(part.texts("tags"))}
            ),
            status="resolved" if over else "firing",
            name=name,
            severity=_LEVELS.get(state) or severity.read(state),
            annotations=filled(
                {"summary": f"{name} on {host} is {state}", "description": part.text("description")}
                | {"metric": part.text(*_METRICS)}
            ),
            starts_at=None if over else at,
            ends_at=at if over else None,
            fingerprint=identity("riemann", host or "*", name),
        )
