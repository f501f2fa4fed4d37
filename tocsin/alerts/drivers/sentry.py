"""Sentry: webhooks of its integration platform, and the legacy webhook plugin.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

from typing import Final

from tocsin.alerts.document import Part, as_text, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

OVER: Final = ("resolved", "ignored", "archived")
FATAL: Final = {"fatal": severity.CRITICAL, "error": severity.ERROR, "sample": severity.INFO}


class Driver(DocumentDriver):
    """Sentry issues, errors and metric alerts."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        data, event = whole.part("data"), whole.part("event")
        if event.has("event_id") and (
            whole.has("project_slug") or whole.has("culprit") or event.has("culprit")
        ):
            return 90
        if not whole.has("action", "data"):
            return 0
        issue = data.part("issue")
        known = data.has("metric_alert") or data.has("triggered_rule") or issue.has("shortId")
        known = known or data.part("event").has("event_id") or data.part("error").has("event_id")
        return 90 if known or whole.has("installation.uuid") else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        data = part.part("data")
        if not data.value:
            return _of_event(part.part("event"), part, part) if part.has("event") else None
        if data.has("metric_alert"):
            return _metric(part, data)
        found = data.part("event") if data.has("event") else data.part("error")
        if found.value:
            return _of_event(found, data, Part(None))
        # Comments and installations come the same way, and say nothing of an issue's state.
        return _issue(part, data.part("issue")) if data.has("issue") else None


def _of_event(event: Part, around: Part, legacy: Part) -> AlertEvent:
    """One more event of an issue; ``legacy`` names the issue and its project beside it."""
    name = event.text("title", "metadata.title", "message") or around.need(
        "message", "title", "triggered_rule"
    )
    tags = _tags(event)
    number = legacy.text("id") or event.text("issue_id", "groupID")
    project = legacy.text("project", "project_slug") or event.text("project_slug", "project_name")
    project = project or _slug(event.text("url")) or event.text("project")
    word = event.text("level") or around.text("level") or tags.get("level", "")
    labels = {
        "alertname": name,
        "instance": event.text("server_name") or tags.get("server_name") or project,
        "project": project,
        "environment": event.text("environment") or tags.get("environment", ""),
        "id": number,
        "rule": around.text("triggered_rule", "triggering_rules"),
        "severity": word,
    }
    text = {
        "summary": name,
        "description": legacy.text("message") or event.text("message", "logentry.formatted"),
        "culprit": event.text("culprit") or around.text("culprit"),
        "tags": ", ".join(f"{tag}={value}" for tag, value in tags.items()),
    }
    return AlertEvent(
        labels=filled(labels),
        name=name,
        severity=FATAL.get(word.lower()) or severity.read(word),
        annotations=filled(text),
        starts_at=event.moment("datetime", "timestamp", "received"),
        generator_url=legacy.text("url") or event.text("web_url", "issue_url", "url"),
        fingerprint=identity("sentry", number),
    )


def _issue(part: Part, issue: Part) -> AlertEvent:
    name = issue.need("title", "metadata.title", "metadata.type", "culprit", "shortId")
    action, state = part.text("action").lower(), issue.text("status").lower()
    ended = action in OVER or (action not in ("created", "unresolved") and state in OVER)
    word, project = issue.text("level"), issue.text("project.slug", "project.name", "project")
    labels = {
        "alertname": name,
        "instance": project,
        "project": project,
        "id": issue.text("id"),
        "short_id": issue.text("shortId"),
        "severity": word,
    }
    text = {"summary": name, "description": issue.text("metadata.value"), "culprit": issue.text("culprit"),
            "assigned_to": issue.text("assignedTo.name")}  # fmt: skip
    return AlertEvent(
        labels=filled(labels),
        status="resolved" if ended else "firing",
        name=name,
        severity=FATAL.get(word.lower()) or severity.read(word),
        annotations=filled(text),
        # What comes back was seen first in a time that is over.
        starts_at=None if action == "unresolved" else issue.moment("firstSeen"),
        ends_at=issue.moment("statusDetails.resolvedAt") if ended else None,
        generator_url=issue.text("web_url", "permalink", "url"),
        fingerprint=identity("sentry", issue.text("id")),
    )


def _metric(part: Part, data: Part) -> AlertEvent:
    alert = data.part("metric_alert")
    rule = alert.part("alert_rule")
    name = rule.text("name") or alert.text("title") or data.need("description_title")
    word = part.text("action").lower()
    ended = word in OVER
    project = next(iter(alert.texts("projects") + rule.texts("projects")), "")
    labels = {
        "alertname": name,
        "instance": project,
        "project": project,
        "environment": rule.text("environment"),
        "id": alert.text("id"),
        "rule_id": rule.text("id"),
        "severity": "" if ended else word,
    }
    text = {"summary": data.text("description_title"), "description": data.text("description_text"),
            "query": rule.text("query"), "aggregate": rule.text("aggregate")}  # fmt: skip
    return AlertEvent(
        labels=filled(labels),
        status="resolved" if ended else "firing",
        name=name,
        severity=severity.read(labels["severity"]),
        annotations=filled(text),
        starts_at=alert.moment("date_started", "date_detected", "date_created"),
        ends_at=alert.moment("date_closed") if ended else None,
        generator_url=data.text("web_url"),
        fingerprint=identity("sentry", "metric", alert.text("id")),
    )


def _tags(event: Part) -> dict[str, str]:
    """They come as pairs."""
    found = event.get("tags")
    pairs = (
        [pair for pair in found if isinstance(pair, list) and len(pair) == 2]
        if isinstance(found, list)
        else []
    )
    return event.pairs("tags") | {as_text(name): as_text(value) for name, value in pairs}


def _slug(url: str) -> str:
    """The project's name, which else is only a number: ``…/api/0/projects/example/shop/events/…``."""
    steps = url.partition("/projects/")[2].split("/")
    return steps[1] if len(steps) > 2 else ""
