"""Dash0's webhook notification channel.

https://www.dash0.com/hub/integrations/int_alerting_webhook/overview
"""

from collections.abc import Iterator
from typing import Final

from tocsin.alerts.document import Part, as_text, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

_LEVELS: Final = {"degraded": severity.WARNING, "critical": severity.CRITICAL, "failed": severity.CRITICAL}
_OVER: Final = {"alert.resolved", "alert.closed", "alert.superseded"}  # another issue supersedes it


class Driver(DocumentDriver):
    """Dash0's issues of check rules."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        return 90 if whole.text("type").startswith("alert.") and whole.part("data.issue").value else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        issue = part.part("data.issue")
        rule = next(_rules(issue), Part(None))
        labels, word = _attributes(issue, "labels"), issue.text("status")
        name = rule.text("name") or issue.need("summary")
        over = part.text("type") in _OVER or word == "resolved"
        service = labels.get("service.name", "")
        return AlertEvent(
            labels=filled(
                labels
                | issue.fields("id", "issueIdentifier", "dataset")
                | {"alertname": name, "service": service}
                | {"instance": labels.get("dash0.resource.name", service), "severity": word}
            ),
            status="resolved" if over else "firing",
            name=name,
            severity=_LEVELS.get(word.lower(), severity.WARNING),
            annotations=filled(
                rule.pairs("annotations")
                | _attributes(issue, "annotations")
                | issue.fields("summary", "description")
                | {"expression": rule.text("expression"), "checkrule_url": rule.text("url")}
            ),
            starts_at=issue.moment("start"),
            ends_at=issue.moment("end") if over else None,
            generator_url=issue.text("url"),
            fingerprint=identity("dash0", issue.text("id")),
        )


def _rules(issue: Part) -> Iterator[Part]:
    yield from issue.parts("checkrules")
    yield from issue.parts("checkrule")


def _attributes(issue: Part, name: str) -> dict[str, str]:
    """OpenTelemetry's attributes: a list of keys, each with a value that names its kind."""
    found = {}
    for attribute in issue.parts(name):
        value = attribute.get("value")
        kinds = list(value.values()) if isinstance(value, dict) else [value]
        found[attribute.text("key")] = as_text(kinds[0]) if kinds else ""
    return {key: told for key, told in found.items() if key and told}
