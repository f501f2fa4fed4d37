"""Jira webhooks: issues created, changed, deleted.

https://developer.atlassian.com/server/jira/platform/webhooks/
"""

from datetime import datetime
from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity

CREATED, DELETED = "jira:issue_created", "jira:issue_deleted"
EVENTS: Final = {CREATED, DELETED, "jira:issue_updated"}
LEVELS: Final = {
    "highest": severity.CRITICAL, "high": severity.ERROR, "medium": severity.WARNING, "low": severity.INFO,
    "lowest": severity.INFO, "blocker": severity.CRITICAL, "critical": severity.CRITICAL,
}  # fmt: skip
DONE: Final = {"done", "closed", "resolved", "cancelled", "canceled", "won't do"}


class Driver(DocumentDriver):
    """Jira: an issue that is open, in progress or done."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        if part.text("webhookEvent").startswith("jira:") or part.has("webhookEvent", "issue"):
            return 95
        return (
            75
            if part.has("issue.key", "issue.fields")
            else 60
            if part.has("webhookEvent", "timestamp")
            else 0
        )

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        event = part.text("webhookEvent")
        if not part.has("issue") or (event and event not in EVENTS):  # versions, sprints, comments, links
            return None
        issue = part.part("issue")
        key, fields = issue.need("key"), issue.part("fields")
        name = fields.need("summary")
        status: Status = "resolved" if event == DELETED else _status(fields)
        word = fields.text("priority.name")
        labels = {"alertname": name, "instance": key, "key": key, "severity": word}
        labels |= {"project": fields.text("project.key"), "issuetype": fields.text("issuetype.name")}
        labels |= {"environment": fields.text("environment")}
        labels["component"] = ",".join(component.text("name") for component in fields.parts("components"))
        words = {
            "summary": name,
            "description": fields.text("description"),
            "status": fields.text("status.name"),
        }
        words |= {
            "assignee": fields.text("assignee.displayName"),
            "reporter": fields.text("reporter.displayName"),
        }
        words |= {"labels": ",".join(fields.texts("labels")), "comment": part.text("comment.body")}
        return AlertEvent(
            labels=filled(labels),
            status=status,
            name=name,
            severity=LEVELS.get(word.lower()) or severity.read(word),
            annotations=filled(words),
            # An issue that is reopened keeps the day of its creation: only at that is it the alert's start.
            starts_at=fields.moment("created") if event == CREATED else None,
            ends_at=_ended(part, fields) if status == "resolved" else None,
            generator_url=_link(issue.text("self"), key),
            fingerprint=identity(
                "jira", issue.text("self").partition("/rest/")[0] or "-", issue.text("id") or key
            ),
        )


def _status(fields: Part) -> Status:
    category = fields.text("status.statusCategory.key")
    if category == "done" or (not category and fields.text("status.name").lower() in DONE):
        return "resolved"
    return "acknowledged" if category == "indeterminate" else "firing"


def _ended(part: Part, fields: Part) -> datetime | None:
    return fields.moment("resolutiondate") or part.moment("timestamp")


def _link(api: str, key: str) -> str:
    base = api.partition("/rest/api/")[0]
    return f"{base}/browse/{key}" if base.startswith("http") else ""
