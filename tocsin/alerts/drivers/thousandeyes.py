"""ThousandEyes' classic webhooks: one notification, or a list of them.

https://docs.thousandeyes.com/product-documentation/alerts/standard-notification-methods/classic-webhooks-for-alert-notifs
"""

from collections.abc import Iterable
from typing import Any, Final

from tocsin.alerts.document import Part, as_text, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Reading
from tocsin.core import severity

_LABELS: Final = ("alertId", "ruleId", "testId", "testName", "type", "agentName", "hostname", "ipAddress")
_KINDS: Final = ("ALERT_NOTIFICATION_TRIGGER", "ALERT_NOTIFICATION_CLEAR", "WEBHOOK_TEST")


def _ours(item: object) -> bool:
    return Part(item).text("eventType").endswith(_KINDS)


class Driver(DocumentDriver):
    """ThousandEyes' alerts, of tests and of agents."""

    def fits(self, payload: object) -> int:
        return 95 if any(map(_ours, payload if isinstance(payload, list) else [payload])) else 0

    def read(self, payload: Any) -> Reading:
        return super().read({"list": payload} if isinstance(payload, list) and payload else payload)

    def parts(self, payload: Part) -> Iterable[Part]:
        return payload.parts("list") if payload.has("list") else [payload]

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        kind, alert = part.text("eventType"), part.part("alert" if part.has("alert") else "agentAlert")
        if not alert.value and kind.endswith("WEBHOOK_TEST"):
            return None
        name = alert.need("ruleName")
        over = kind.endswith("_CLEAR")
        agents = [agent.text("agentName") for agent in alert.parts("agents")]
        targets = alert.get("testTargetsDescription")
        target = as_text(targets[0]) if isinstance(targets, list) and targets else ""
        return AlertEvent(
            labels=filled(
                alert.fields(*_LABELS)
                | {"alertname": name, "eventId": part.text("eventId"), "severity": alert.text("severity")}
                | {"instance": target or alert.text("hostname", "agentName", "testName", "targetDescription")}
                | {"testLabels": ",".join(label.text("name") for label in alert.parts("testLabels"))}
            ),
            status="resolved" if over else "firing",
            name=name,
            severity=severity.read(alert.text("severity")),
            annotations=filled(
                {"summary": alert.text("ruleExpression"), "agents": ", ".join(filter(None, agents))}
                | {"description": "\n".join(_told(agent, over) for agent in alert.parts("agents"))}
                | alert.fields("violationCount", "testTargetsDescription")
            ),
            starts_at=alert.moment("dateStartZoned", "dateStart"),
            ends_at=alert.moment("dateEndZoned", "dateEnd") if over else None,
            generator_url=alert.text("permalink"),
            fingerprint=identity("thousandeyes", alert.text("alertId") or part.text("eventId")),
        )


def _told(agent: Part, over: bool) -> str:
    metrics = agent.text("metricsAtEnd", "metricsAtStart") if over else agent.text("metricsAtStart")
    return f"{agent.text('agentName')}: {metrics}" if metrics else ""
