"""Datadog monitors by its webhooks integration, whose payload is a template that its users change.

https://docs.datadoghq.com/integrations/webhooks/
"""

import re
from typing import Final

from tocsin.alerts.document import Part, filled, identity, tagged
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

OVER: Final = ("ok", "recovered", "resolved", "success", "normal", "closed")
_RECOVERED: Final = re.compile(r"(?:[\w -]{0,12} )?(?:recovered|recovery|resolved|ok)\b", re.IGNORECASE)
# "[Re-Triggered on {host:web-1}] [P2] CPU is high on web-1": the event's title names the transition.
_PREFIX: Final = re.compile(
    r"\[((?:re-?)?(?:triggered|alert|recovered|resolved|ok|warn(?:ing)?|no data|renotify)\b[^\]]*)\]\s*", re.I
)
_SCOPE: Final = re.compile(r"\{([^}]*)\}")
_PRIORITY: Final = re.compile(r"\[(P[1-5])\]\s*")
SEVERITY: Final = ("alert_priority", "priority", "severity", "alert_type", "alert_status", "status")
MARKS: Final = ("alert_transition", "alert_title", "alert_type", "alert_status", "alert_scope", "alert_query",
                "alert_metric", "alert_id", "monitor_id", "event_type", "last_updated", "org", "scopes",
                "aggreg_key", "event_title")  # fmt: skip


class Driver(DocumentDriver):
    """Datadog monitor alerts, by the default template or one with the usual variables' names."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        marks = sum(map(whole.has, MARKS))
        named = whole.has("alert_title") or whole.has("alert_transition") or whole.has("monitor_id", "scopes")
        default = whole.has("event_type", "last_updated", "org")
        if whole.has("check_id") or not (named or default):  # Checkly's words are much the same
            return 0
        return min(60 + 10 * marks, 90) if marks >= 2 else 0

    def event(self, part: Part, payload: Part) -> AlertEvent:
        title = part.need("alert_title", "title", "event_title", "alert_name", "name")
        name = _PRIORITY.sub("", _PREFIX.sub("", title)).strip() or title
        word = _severity_word(part, title)
        prefix = _PREFIX.search(title)
        within = _SCOPE.search(prefix[1]) if prefix else None
        words = [word for told in part.texts("tags") for word in told.split(",")]
        host = part.text("hostname", "host")
        scope = part.text("alert_scope", "scope") or ",".join(part.texts("scopes"))
        scope = scope or (within[1] if within else "")
        own = {own: part.text(own) for own in ("alert_id", "monitor_id", "aggreg_key")}
        labels = tagged(scope.split(",")) | part.pairs("tags") | tagged(words) | own
        labels |= {"alertname": name, "org": part.text("org.name", "org_name"), "severity": word}
        labels["instance"] = host or labels.get("host", "")
        ended, moment = _over(part, title), part.moment("last_updated", "date")
        known = part.text("aggreg_key", "alert_id", "monitor_id") or name
        return AlertEvent(
            labels=filled(labels),
            status="resolved" if ended else "firing",
            name=name,
            severity=severity.read(word),
            annotations=filled(
                {
                    "summary": title,
                    "description": part.text("body", "event_msg", "text_only_msg", "message", "description"),
                    "query": part.text("alert_query", "query"),
                    "snapshot": part.text("snapshot"),
                    "tags": ",".join(words),
                }
            ),
            starts_at=None if ended else moment,
            ends_at=moment if ended else None,
            generator_url=part.text("link", "url", "alert_url"),
            # Without an id the severity, a label, would tell the end apart from the start.
            fingerprint=identity(
                "datadog", known, scope or labels["instance"] or ",".join(sorted(words)) or "*"
            ),
        )


def _over(part: Part, title: str) -> bool:
    """The transition decides; ``alert_type`` may say error while all is well again."""
    prefix = _PREFIX.search(title)
    told = part.text("alert_transition", "transition") or (prefix[1] if prefix else "")
    if told:
        return _RECOVERED.match(told) is not None
    return any(part.text(name).lower() in OVER for name in ("alert_status", "status", "state", "alert_type"))


def _severity_word(part: Part, title: str) -> str:
    """Its priorities P1 to P5; ``normal`` and ``low`` are an event's, not an alert's."""
    told = [part.text(name) for name in SEVERITY] + _PRIORITY.findall(title)
    return next((word for word in told if severity.known(word) and word.lower() not in ("low", "ok")), "")
