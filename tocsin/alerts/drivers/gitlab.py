"""GitLab webhooks: failed pipelines, jobs and deployments, issues and incidents, vulnerabilities, alerts.

https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from datetime import datetime
from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity

ISSUES: Final = {"issue", "work_item", "incident"}
OVER: Final = {"closed", "resolved", "dismissed"}


class Driver(DocumentDriver):
    """GitLab: pipelines, jobs and deployments that failed, issues, incidents and vulnerabilities."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        if not part.text("object_kind"):
            return 0
        own = ("object_attributes", "project", "build_status", "deployable_url", "project_id", "event_name")
        return 90 if any(name in part.value for name in own) else 40

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        kind = part.need("object_kind")
        if kind in ("pipeline", "build", "job", "deployment"):
            return _failure(part, kind)
        if kind in ISSUES or kind == "vulnerability":
            return _item(part, kind)
        return None


def _of(part: Part, kind: str, which: str) -> str:
    """Every server counts its projects from one: an address tells them apart."""
    project = part.text("project.web_url", "repository.homepage", "project.id", "project_id")
    return identity("gitlab", project or "-", kind, which)


def _project(part: Part) -> dict[str, str]:
    project = part.text("project.path_with_namespace", "project_name") or part.text("project.name")
    return {"instance": project, "project": project, "project_id": part.text("project.id", "project_id")}


def _failure(part: Part, kind: str) -> AlertEvent | None:
    """What failed; what succeeded later is another run, and says nothing of this one."""
    told = part.text("object_attributes.status", "build_status", "status")
    if told != "failed" or part.text("build_allow_failure") == "true":
        return None
    project = _project(part)
    name = part.text("build_name", "project.name") or project["project"] or part.need("project.name")
    labels = project | {
        "alertname": name,
        "kind": kind,
        "ref": part.text("object_attributes.ref", "ref"),
        "severity": told,
    }
    labels |= {"environment": part.text("environment"), "stage": part.text("build_stage")}
    labels |= {"source": part.text("object_attributes.source")}
    which = part.text("object_attributes.id", "build_id", "deployment_id")
    base = part.text("project.web_url", "repository.homepage")
    path = {"pipeline": "pipelines", "build": "jobs", "job": "jobs"}.get(kind, "")
    words = {"summary": f"{kind} {told}", "description": part.text("commit.message", "commit_title").strip()}
    words |= {"failure_reason": part.text("build_failure_reason"), "user": part.text("user.username")}
    return AlertEvent(
        labels=filled(labels),
        name=name,
        severity=severity.ERROR,
        annotations=filled(words),
        starts_at=part.moment(
            "object_attributes.created_at", "build_started_at", "build_created_at", "status_changed_at"
        ),
        generator_url=part.text("deployable_url", "object_attributes.url")
        or (f"{base}/-/{path}/{which}" if base and path and which else base),
        fingerprint=_of(part, kind, which),
    )


def _item(part: Part, kind: str) -> AlertEvent:
    item = part.part("object_attributes")
    name, project = item.need("title"), _project(part)
    status = _status(item)
    word = item.text("severity").lower()
    labels = project | {"alertname": name, "kind": kind, "type": item.text("type"), "severity": word}
    labels |= item.fields("iid", "report_type")
    words = {"summary": name, "description": item.text("description")}
    return AlertEvent(
        labels=filled(labels),
        status=status,
        name=name,
        severity=severity.read(word),
        annotations=filled(words | item.fields("action")),
        starts_at=_began(item),
        ends_at=item.moment("closed_at", "resolved_at", "dismissed_at", "updated_at")
        if status == "resolved"
        else None,
        generator_url=item.text("url"),
        fingerprint=_of(part, kind, item.text("id", "url")),
    )


def _status(item: Part) -> Status:
    state, action = item.text("state").lower(), item.text("action").lower()
    if state in OVER or action == "close":
        return "resolved"
    return "acknowledged" if item.text("escalation_status") == "acknowledged" else "firing"


def _began(item: Part) -> datetime | None:
    # What is reopened was over: its first day is no longer that of this alert.
    return item.moment("updated_at" if item.text("action") == "reopen" else "created_at")
