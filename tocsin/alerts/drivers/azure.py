"""Azure Monitor action groups: the common alert schema, and the schemas of their own before it.

https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema
"""

from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

OVER: Final = ("resolved", "deactivated")
SEVERITY: Final = {"sev0": severity.CRITICAL, "verbose": severity.INFO}
SCHEMAS: Final = ("azuremonitor", "microsoft.insights")


class Driver(DocumentDriver):
    """Azure Monitor alerts: the common schema, and the older ones of metrics, logs and activities."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        if whole.text("schemaId").lower().startswith(SCHEMAS) and whole.part("data").value:
            return 95
        if whole.has("AlertRuleName", "SearchQuery"):
            return 90
        context = whole.part("context")
        ours = context.has("resourceId") or context.has("portalLink") or context.has("subscriptionId")
        return 90 if whole.has("status") and ours else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        data = part.part("data") if part.has("data") else part
        if data.has("essentials"):
            return _common(data)
        if data.has("AlertRuleName"):
            return _log(data)
        if data.has("operation"):  # autoscaling: a machine more or less is no alert
            return None
        context = data.part("context")
        return _activity(data, context) if context.has("activityLog") else _metric(data, context)


def _common(data: Part) -> AlertEvent:
    told, context = data.part("essentials"), data.part("alertContext")
    name = told.need("alertRule", "alertId")
    # Health events are each "Fired"; what they are about may be over.
    health = told.text("monitoringService").replace(" ", "").lower() in ("servicehealth", "resourcehealth")
    ended = told.text("monitorCondition").lower() in OVER or (
        health
        and (context.text("status").lower() in OVER or context.text("properties.stage").lower() in OVER)
    )
    target = next(iter(told.texts("alertTargetIDs")), "")
    known = told.text("alertId", "originAlertId")
    if health:
        known = "|".join((name, context.text("properties.trackingId"), target))
    condition = next(context.part("condition").parts("allOf"), Part(None))
    labels = (
        context.pairs("labels")
        | _dimensions(condition)
        | {
            "alertname": name,
            "instance": next(iter(told.texts("configurationItems")), "") or target.rpartition("/")[2],
            "metric": condition.text("metricName"),
            "alertId": told.text("alertId"),
            "monitoringService": told.text("monitoringService"),
            "signalType": told.text("signalType"),
            "severity": told.text("severity"),
        }
    )
    text = {
        "description": told.text("description") or context.text("properties.title", "properties.details"),
        "target": target,
        "query": condition.text("searchQuery") or context.text("SearchQuery", "expression"),
        "value": condition.text("metricValue") or context.text("expressionValue"),
        "threshold": condition.text("threshold"),
    }
    return AlertEvent(
        labels=filled(labels),
        status="resolved" if ended else "firing",
        name=name,
        severity=_severity(told.text("severity")),
        annotations=filled({"summary": name} | data.pairs("customProperties") | text)
        | context.pairs("annotations"),
        starts_at=None if health and ended else told.moment("firedDateTime"),
        ends_at=told.moment("resolvedDateTime") or context.moment("eventTimestamp") if ended else None,
        generator_url=told.text("investigationLink") or condition.text("linkToSearchResultsUI")
        or context.text("LinkToSearchResults", "portalLink"),
        fingerprint=identity("azure", known),
    )  # fmt: skip


def _metric(data: Part, context: Part) -> AlertEvent:
    """Metric alerts of their own schema, and the classic ones that have no schema at all."""
    name = context.need("name", "id")
    ended = data.text("status").lower() in OVER
    condition = context.part("condition")
    condition = next(condition.parts("allOf"), condition)
    word, target = context.text("severity"), context.text("resourceId")
    labels = _dimensions(condition) | {
        "alertname": name,
        "instance": context.text("resourceName"),
        "metric": condition.text("metricName"),
        "resource_group": context.text("resourceGroupName"),
        "subscription": context.text("subscriptionId"),
        "severity": word,
    }
    text = {"summary": name, "description": context.text("description"), "target": target,
            "value": condition.text("metricValue"), "threshold": condition.text("threshold")}  # fmt: skip
    moment = context.moment("timestamp")
    return AlertEvent(
        labels=filled(labels),
        status="resolved" if ended else "firing",
        name=name,
        severity=_severity(word),
        annotations=filled(data.pairs("properties") | text),
        starts_at=None if ended else moment,
        ends_at=moment if ended else None,
        generator_url=context.text("portalLink"),
        fingerprint=identity("azure", context.text("id", "name"), target or "-", *_values(condition)),
    )


def _activity(data: Part, context: Part) -> AlertEvent:
    log = context.part("activityLog")
    name = log.text("properties.title") or context.text("name") or log.need("operationName", "eventSource")
    ended = log.text("status").lower() in OVER or data.text("status").lower() in OVER
    target = log.text("resourceId") or log.text("properties.trackingId")
    labels = {
        "alertname": name,
        "instance": target.rpartition("/")[2],
        "operation": log.text("operationName"),
        "monitoringService": log.text("eventSource"),
        "resource_group": log.text("resourceGroupName"),
        "subscription": log.text("subscriptionId"),
        "severity": log.text("level"),
    }
    moment = log.moment("eventTimestamp")
    return AlertEvent(
        labels=filled(labels),
        status="resolved" if ended else "firing",
        name=name,
        severity=_severity(log.text("level")),
        annotations=filled(
            {
                "summary": name,
                "description": log.text("description", "properties.communication"),
                "target": target,
                "caller": log.text("caller"),
            }
        ),
        starts_at=None if ended else moment,
        ends_at=moment if ended else None,
        fingerprint=identity("azure", name, target),
    )


def _log(data: Part) -> AlertEvent:
    """A log search's alert, which never tells its end."""
    name, target = data.need("AlertRuleName"), data.text("ResourceId", "WorkspaceId")
    labels = {
        "alertname": name,
        "instance": target.rpartition("/")[2],
        "subscription": data.text("SubscriptionId"),
        "severity": data.text("Severity"),
    }
    text = {
        "summary": name,
        "description": data.text("Description"),
        "query": data.text("SearchQuery"),
        "result_count": data.text("ResultCount"),
    }
    return AlertEvent(
        labels=filled(_dimensions(data, "Dimensions") | labels),
        name=name,
        severity=_severity(data.text("Severity")),
        annotations=filled(text),
        starts_at=data.moment("SearchIntervalEndtimeUtc"),
        generator_url=data.text("LinkToSearchResults"),
        fingerprint=identity("azure", name, target or "-", *_values(data, "Dimensions")),
    )


def _severity(word: str) -> str:
    word = f"sev{word}" if word.isdecimal() else word.lower()
    return SEVERITY.get(word) or severity.read(word)


def _dimensions(part: Part, name: str = "dimensions") -> dict[str, str]:
    return {told: item.text("value") for item in part.parts(name) if (told := item.text("name"))}


def _values(part: Part, name: str = "dimensions") -> list[str]:
    """What tells one series of a rule from another."""
    return [value or "-" for value in _dimensions(part, name).values()]
