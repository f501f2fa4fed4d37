"""Wazuh's alerts: as its integrator hands them out, for Shuffle, and as Keep's script writes them.

https://documentation.wazuh.com/current/user-manual/manager/integration-with-external-apis.html
"""

import re
from typing import Final

from tocsin.alerts.document import Part, as_text, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

_LEVELS: Final = ((15, severity.CRITICAL), (12, severity.ERROR), (7, severity.WARNING))  # of 0 to 16
_LABELS: Final = ("rule.id", "rule.level", "agent.id", "agent.name", "agent.ip", "manager.name", "location")
_WRITTEN: Final = re.compile(r"^(Rule ID|Level|Agent ID|Agent Name) (.+)$", re.M)
_NAMES: Final = {
    "Rule ID": "rule.id", "Level": "rule.level", "Agent ID": "agent.id", "Agent Name": "agent.name",
}  # fmt: skip


class Driver(DocumentDriver):
    """Wazuh's alerts. They tell of events, so that none has an end."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        if whole.text("pretext") == "WAZUH Alert" and whole.has("rule_id"):
            return 90
        if whole.has("rule.level", "rule.id"):
            return 90 if any(map(whole.has, ("manager", "decoder", "agent.id", "full_log"))) else 0
        text = whole.text("description")
        return 85 if text.startswith("Rule ID ") and "\nAgent ID " in text and whole.has("message") else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        alert = part.part("all_fields") if part.has("all_fields") else part
        if not alert.has("rule.id"):
            return _written(part)
        name = alert.need("rule.description")
        level = alert.text("rule.level")
        return AlertEvent(
            labels=filled(
                alert.fields(*_LABELS)
                | {"alertname": name, "instance": alert.text("agent.name"), "severity": level}
                | {"groups": ",".join(alert.texts("rule.groups"))}
            ),
            name=name,
            severity=_severity(level),
            annotations=filled(
                {"summary": name, "description": alert.text("full_log"), "id": alert.text("id")}
                | {"mitre": ",".join(alert.texts("rule.mitre.id")), "data": as_text(alert.get("data"))}
            ),
            starts_at=alert.moment("timestamp"),
            fingerprint=identity("wazuh", alert.text("rule.id"), *_place(alert)),
        )


def _written(part: Part) -> AlertEvent:
    """One whose rule and agent stand in its text, line by line."""
    name, text, word = part.need("message", "title"), part.text("description"), part.text("severity")
    ids = {_NAMES[key]: told.strip() for key, told in _WRITTEN.findall(text)} | filled(
        {"rule.id": part.text("rule_id")}
    )
    level = ids.get("rule.level", "")
    return AlertEvent(
        labels=filled(
            ids | {"alertname": name, "instance": ids.get("agent.name", ""), "severity": word or level}
        ),
        name=name,
        severity=severity.read(word) if severity.known(word) else _severity(level),
        annotations=filled({"summary": name, "description": text or part.text("text")}),
        starts_at=part.moment("created_at", "timestamp"),
        fingerprint=identity("wazuh", ids.get("rule.id", ""), *_place(Part(ids))),
    )


def _place(alert: Part) -> list[str]:
    """Each manager numbers its agents from one."""
    return list(alert.fields("manager.name", "agent.id", "agent.name").values()) or ["*"]


def _severity(level: str) -> str:
    if not level.isdecimal() or len(level) > 3:
        return severity.WARNING
    return next((found for least, found in _LEVELS if int(level) >= least), severity.INFO)
