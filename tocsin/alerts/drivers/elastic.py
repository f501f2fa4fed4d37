"""Elastic: Kibana rules through a webhook connector, and Watcher. Their bodies are templates, so
this reads the variables under the names that Kibana gives them, nested or flat.

https://www.elastic.co/docs/explore-analyze/alerts-cases/alerts/rule-action-variables
"""

from collections.abc import Iterable
from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

OVER: Final = ("recovered", "resolved", "inactive", "ok")
FLAT: Final = ("rule_name", "ruleName", "rule.name", "alertName", "alert_id", "alertId", "alert.id",
               "alertInstanceId", "alertActionGroup", "alert_action_group", "alert.actionGroup",
               "actionGroup", "kibanaBaseUrl", "spaceId")  # fmt: skip
DOCUMENT: Final = "kibana.alert"
GROUP: Final = ("alert.actionGroup", "alertActionGroup", "alert_action_group", "actionGroup", "action_group")
# Their last words; "alert" is a burn rate's highest step.
LEVELS: Final = ("critical", "high", "medium", "low", "warning", "error", "major", "minor")


class Driver(DocumentDriver):
    """Kibana rules and Watcher's watches, as their webhooks are usually written."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        body = whole.part("webhook_body") if whole.has("webhook_body") else whole
        if body.has("rule_info") and (body.has("alert_info") or body.has("context_info")):
            return 95
        watch = whole.part("ctx") if whole.has("ctx") else whole
        if watch.has("watch_id"):
            return 90 if any(map(watch.has, ("trigger", "payload", "metadata", "execution_time"))) else 60
        if whole.has("rule.name") and (_documents(whole) or whole.has("alert.id", "date")):
            return 90
        named = whole.part("rule").value or sum(name in whole.value for name in FLAT) >= 2
        return 90 if whole.has(f"{DOCUMENT}.rule.name") or (named and any(map(whole.has, GROUP))) else 0

    def parts(self, payload: Part) -> Iterable[Part]:
        """A summary of alerts holds its alerts' own documents."""
        return _documents(payload) or [payload]

    def event(self, part: Part, payload: Part) -> AlertEvent:
        watch = part.part("ctx") if part.has("ctx") else part
        if watch.has("watch_id"):
            return _watch(watch)
        if part.has(f"{DOCUMENT}.rule.name"):
            return _document(part)
        body = part.part("webhook_body") if part.has("webhook_body") else part
        if body.has("rule_info"):
            inner = {"rule": body.part("rule_info").value, "alert": body.part("alert_info").value,
                     "context": body.part("context_info").value}  # fmt: skip
            return _rule(Part(inner | body.value))
        return _rule(body)


def _rule(part: Part) -> AlertEvent:
    name = part.need("rule.name", "rule_name", "ruleName", "alertName")
    group = part.text(*GROUP)
    # An alert's last message may come with its rule's action group or with a state.
    names = ("alert.actionGroupName", "alertActionGroupName", "alert.state", "status", "state")
    ended = group.rpartition(".")[2].lower() in OVER or part.text(*names).lower() in OVER
    context = part.part("context")
    word = _severity_word(part, context, group)
    # Kibana 7 said alert for the rule, and instance for the alert.
    rule, alert = part.text("rule.id", "rule_id", "ruleId"), part.text("alert.id", "alert_id")
    if part.has("alertInstanceId"):
        rule, alert = rule or part.text("alertId"), alert or part.text("alertInstanceId")
    alert = alert or part.text("alertId")
    labels = {
        "alertname": name,
        "instance": context.text("host.name", "host", "monitorName", "serviceName", "service.name", "group"),
        "group": context.text("group"),
        "service": context.text("serviceName", "service.name"),
        "environment": context.text("environment", "service.environment"),
        "rule_id": rule,
        "rule_type": part.text("rule.type", "rule_type"),
        "alert_id": alert,
        "action_group": "" if ended else group,
        "space": part.text("rule.spaceId", "spaceId", "space_id"),
        "severity": word,
    }
    text = {
        "summary": context.text("title", "reason") or name,
        "description": context.text("reason", "message") or part.text("message", "reason"),
        "tags": ",".join(part.texts("rule.tags") or part.texts("tags")),
    }
    moment = (
        part.moment("date") or context.moment("timestamp", "date") or part.moment("timestamp", "@timestamp")
    )
    return AlertEvent(
        labels=filled(labels),
        status="resolved" if ended else "firing",
        name=name,
        severity=severity.read(word),
        annotations=filled(text),
        starts_at=None if ended else moment,
        ends_at=moment if ended else None,
        generator_url=context.text("alertDetailsUrl", "link", "results_link", "viewInAppUrl")
        or part.text("rule.url", "rule_url"),
        fingerprint=identity("elastic", rule or name, alert),
    )  # fmt: skip


def _documents(payload: Part) -> list[Part]:
    alerts = payload.part("alerts")
    return [found for state in ("new", "ongoing", "recovered") for found in alerts.part(state).parts("data")]


def _document(part: Part) -> AlertEvent:
    """An alert as Kibana keeps it, with fields such as ``kibana.alert.rule.name``."""

    def told(*names: str) -> str:
        return part.text(*(f"{DOCUMENT}.{name}" for name in names))

    name, ended = part.need(f"{DOCUMENT}.rule.name"), told("status").lower() in OVER
    word = told("severity")
    labels = {
        "alertname": name,
        "instance": part.text("host.name", "service.name"),
        "service": part.text("service.name"),
        "rule_id": told("rule.uuid"),
        "rule_type": told("rule.rule_type_id"),
        "alert_id": told("instance.id"),
        "severity": word,
    }
    return AlertEvent(
        labels=filled(labels),
        status="resolved" if ended else "firing",
        name=name,
        severity=severity.read(word),
        annotations=filled({"summary": told("reason") or name, "tags": ",".join(part.texts("tags"))}),
        starts_at=part.moment(f"{DOCUMENT}.start", "@timestamp"),
        ends_at=part.moment(f"{DOCUMENT}.end") if ended else None,
        generator_url=told("url"),
        fingerprint=identity("elastic", told("rule.uuid") or name, told("instance.id") or told("uuid")),
    )


def _watch(watch: Part) -> AlertEvent:
    """A watch tells that its condition is met, never that it is no more."""
    number = watch.need("watch_id")
    name = watch.text("metadata.name", "metadata.title", "watch_name") or number
    word = watch.text("metadata.severity", "severity", "metadata.priority")
    labels = {"alertname": name, "watch_id": number, "severity": word,
              "instance": watch.text("metadata.host", "host")}  # fmt: skip
    text = {"summary": watch.text("metadata.description", "message") or name,
            "hits": watch.text("payload.hits.total.value", "payload.hits.total")}  # fmt: skip
    own = {f"metadata_{key}": value for key, value in watch.pairs("metadata").items()}
    return AlertEvent(
        labels=filled(labels),
        status="resolved" if watch.text("status", "state").lower() in OVER else "firing",
        name=name,
        severity=severity.read(word),
        annotations=filled(own | text),
        starts_at=watch.moment("execution_time", "trigger.triggered_time"),
        generator_url=watch.text("metadata.url", "link"),
        fingerprint=identity("elastic", "watch", number),
    )


def _severity_word(part: Part, context: Part, group: str) -> str:
    told = part.text("severity", "rule.params.severity", "rule.severity") or context.text(
        "severity", "rule.severity"
    )
    last = group.rpartition(".")[2].lower()
    return told or (last if last in LEVELS else "")
