"""Amazon CloudWatch alarms as SNS posts them, raw or in its envelope, and as EventBridge tells them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

from typing import Final
from urllib.parse import quote

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

# An alarm has no severity of its own. INSUFFICIENT_DATA is no end: nobody knows how it stands.
SEVERITY: Final = {"ALARM": severity.ERROR, "INSUFFICIENT_DATA": severity.WARNING, "OK": severity.INFO}
HOSTS: Final = (
    "InstanceId",
    "DBInstanceIdentifier",
    "LoadBalancer",
    "FunctionName",
    "QueueName",
    "ClusterName",
)


class Driver(DocumentDriver):
    """CloudWatch alarms through SNS, in its envelope or raw."""

    def fits(self, payload: object) -> int:
        whole = Part(payload)
        if whole.has("Type", "TopicArn") or whole.part("Message").has("AlarmName"):
            return 95
        return 95 if whole.has("AlarmName") and (whole.has("NewStateValue") or whole.has("Trigger")) else (
            90 if whole.text("source") == "aws.cloudwatch" else 0
        )  # fmt: skip

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        if part.text("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
            return None
        inner = part.part("Message")
        alarm = inner if inner.value else part
        if alarm.text("detail-type") == "CloudWatch Alarm State Change":
            return _bridged(alarm)
        return _alarm(alarm) if alarm.has("AlarmName") else _notice(part, inner)


def _alarm(alarm: Part) -> AlertEvent:
    name = alarm.need("AlarmName")
    state = alarm.text("NewStateValue").upper()
    word = alarm.text("Priority", "Severity") or state
    # A composite alarm has no Trigger but a rule; one of metric math names its metrics in a list.
    trigger = alarm.part("Trigger") if alarm.has("Trigger") else alarm
    found = (stat.part("MetricStat").part("Metric") for stat in trigger.parts("Metrics"))
    metric = next((metric for metric in found if metric.value), trigger)
    dimensions = {
        told: dimension.text("value", "Value")
        for dimension in metric.parts("Dimensions")
        if (told := dimension.text("name", "Name"))
    }
    arn, region = alarm.text("AlarmArn"), alarm.text("Region")
    account = alarm.text("AWSAccountId")
    labels = dimensions | {
        "alertname": name,
        "instance": next((dimensions[at] for at in (*HOSTS, *dimensions) if at in dimensions), ""),
        "region": region,
        "account": account,
        "namespace": metric.text("Namespace"),
        "metric": metric.text("MetricName"),
        "AlarmArn": arn,
        "severity": word,
    }
    moment = alarm.moment("StateChangeTime")
    return AlertEvent(
        labels=filled(labels),
        status="resolved" if state == "OK" else "firing",
        name=name,
        severity=SEVERITY.get(word) or severity.read(word),
        annotations=filled(
            {
                "summary": alarm.text("AlarmDescription") or name,
                "description": alarm.text("NewStateReason"),
                "rule": alarm.text("AlarmRule"),
                "previous_state": alarm.text("OldStateValue"),
            }
        ),
        starts_at=None if state == "OK" else moment,
        ends_at=moment if state == "OK" else None,
        generator_url=_console(arn, name),
        fingerprint=identity("cloudwatch", arn or ":".join((account or "-", region or "-", name))),
    )


def _bridged(alarm: Part) -> AlertEvent:
    """EventBridge tells the same in other words."""
    detail = alarm.part("detail")
    state, before = detail.part("state"), detail.part("previousState")
    metric = next(detail.part("configuration").parts("metrics"), Part(None)).part("metricStat").part("metric")
    sizes = [{"name": name, "value": value} for name, value in metric.pairs("dimensions").items()]
    told = {
        "AlarmName": detail.text("alarmName"),
        "AlarmDescription": detail.text("configuration.description"),
        "AWSAccountId": alarm.text("account"),
        "Region": alarm.text("region"),
        "AlarmArn": next(iter(alarm.texts("resources")), ""),
        "NewStateValue": state.text("value"),
        "NewStateReason": state.text("reason"),
        "OldStateValue": before.text("value"),
        "StateChangeTime": state.text("timestamp") or alarm.text("time"),
        "Trigger": {
            "MetricName": metric.text("name"),
            "Namespace": metric.text("namespace"),
            "Dimensions": sizes,
        },
    }
    return _alarm(Part(told))


def _notice(part: Part, inner: Part) -> AlertEvent | None:
    """What else is published to the topic: a text that somebody wants to be seen."""
    text = part.text("Message")
    name = part.text("Subject") or next(iter(text.splitlines()), "")[:120]
    if not name or inner.text("Event") == "autoscaling:TEST_NOTIFICATION":
        return None
    return AlertEvent(
        labels=filled({"alertname": name, "topic": part.text("TopicArn")}),
        name=name,
        annotations=filled({"summary": name, "description": text}),
        starts_at=part.moment("Timestamp"),
    )


def _console(arn: str, name: str) -> str:
    """The alarm's page in the AWS console, where its ARN tells the region."""
    steps = arn.split(":")
    if len(steps) < 7 or not steps[3].replace("-", "").isalnum() or not arn.isprintable():
        return ""
    return f"https://console.aws.amazon.com/cloudwatch/home?region={steps[3]}#alarmsV2:alarm/{quote(name)}"
