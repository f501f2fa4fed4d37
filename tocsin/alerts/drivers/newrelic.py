"""New Relic: workflows' webhooks about issues, and the legacy channels' about incidents.

https://docs.newrelic.com/docs/alerts/get-notified/notification-integrations/#webhook
"""

from datetime import datetime
from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity

STATES: Final[dict[str, Status]] = {
    "acknowledged": "acknowledged", "acknowledge": "acknowledged",
    "closed": "resolved", "resolved": "resolved",
}  # fmt: skip
ISSUE: Final = ("issueUrl", "workflowName", "alertPolicyNames", "alertConditionNames", "isCorrelated",
                "totalIncidents", "impactedEntities", "accumulations", "issueId", "trigger")  # fmt: skip
INCIDENT: Final = (
    "condition_name",
    "condition_id",
    "current_state",
    "account_id",
    "policy_name",
    "incident_id",
)


class Driver(DocumentDriver):
    """New Relic issues from workflows, and incidents from the older notification channels."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        issue, incident = sum(map(whole.has, ISSUE)), sum(map(whole.has, INCIDENT))
        if whole.has("condition_name") and incident >= 3 or whole.has("current_state") and incident >= 4:
            return 90
        return 90 if (whole.has("issueUrl") or whole.has("issueId")) and issue >= 2 else 0

    def event(self, part: Part, payload: Part) -> AlertEvent:
        return _issue(part) if part.has("issueId") or part.has("issueUrl") else _incident(part)


def _issue(part: Part) -> AlertEvent:
    name = _one(part, "title", "name", "alertConditionNames", "accumulations.conditionName") or part.need(
        "title"
    )
    status = STATES.get(part.text("state", "status").lower(), "firing")
    word, number = part.text("priority", "severity"), part.text("issueId", "id")
    entity = _one(part, "impactedEntities", "entitiesData.names")
    labels = {
        "alertname": name,
        "instance": entity,
        "issue_id": number,
        "policy": _one(part, "alertPolicyNames", "accumulations.policyName"),
        "condition": _one(part, "alertConditionNames", "accumulations.conditionName"),
        "account_name": _one(part, "accountName", "account_name"),
        "workflow": part.text("workflowName"),
        "severity": word,
    }
    text = {
        "summary": name,
        "description": _one(part, "description", "annotations.description"),
        "impacted_entities": ", ".join(part.texts("impactedEntities")),
        "runbook_url": _one(part, "runbookUrl", "accumulations.runbookUrl"),
    }
    return AlertEvent(
        labels=filled(labels),
        status=status,
        name=name,
        severity=severity.read(word),
        annotations=filled(text),
        starts_at=part.moment("activatedAt", "createdAt"),
        ends_at=part.moment("closedAt", "updatedAt") if status == "resolved" else None,
        generator_url=part.text("issueUrl", "issuePageUrl"),
        fingerprint=identity("newrelic", number),
    )


def _incident(part: Part) -> AlertEvent:
    name = part.need("condition_name", "policy_name", "details")
    status = STATES.get(part.text("current_state").lower(), "firing")
    target = next(part.parts("targets"), Part(None))
    account, number = part.text("account_id"), part.text("incident_id")
    labels = {
        "alertname": name,
        "instance": target.text("name"),
        "policy": part.text("policy_name"),
        "incident_id": number,
        "condition_id": part.text("condition_id"),
        "account_name": part.text("account_name"),
        "account_id": account,
        "product": target.text("product"),
        "severity": part.text("severity"),
    }
    text = {
        "summary": part.text("details"),
        "owner": part.text("owner"),
        "policy_url": part.text("policy_url"),
        "runbook_url": part.text("runbook_url"),
    }
    # The timestamp is the message's own: of the opening, or of the closing.
    moment: datetime | None = part.moment("timestamp")
    return AlertEvent(
        labels=filled(target.pairs("labels") | labels),
        status=status,
        name=name,
        severity=severity.read(part.text("severity")),
        annotations=filled(text),
        starts_at=moment if status == "firing" else None,
        ends_at=moment if status == "resolved" else None,
        generator_url=part.text("incident_url", "violation_chart_url"),
        fingerprint=identity("newrelic", account, number) if number else "",
    )


def _one(part: Part, *names: str) -> str:
    return next((text for name in names for text in part.texts(name)), "")
