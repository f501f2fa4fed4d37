"""A believable alert for trying things out, in Alertmanager's words."""

import secrets
from datetime import datetime, timedelta

import msgspec

DRIVER = "alertmanager"


def sample(now: datetime) -> bytes:
    """A pod that runs out of memory. Its name is new each time, so that each sample is a new alert."""
    pod = f"checkout-7d9f8b6c54-{secrets.token_hex(3)[:5]}"
    labels = {
        "alertname": "HighMemoryUsage",
        "severity": "critical",
        "instance": pod,
        "namespace": "shop",
        "job": "checkout",
    }
    annotations = {
        "summary": f"{pod} uses 94 % of its memory limit",
        "description": "Above 90 % for five minutes; the kernel will kill it at 512 MiB.",
        "runbook_url": "https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubepodcrashlooping/",
    }
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": now - timedelta(minutes=5),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph",
    }
    return msgspec.json.encode(
        {
            "version": "4",
            "status": "firing",
            "receiver": "tocsin",
            "groupKey": '{}:{alertname="HighMemoryUsage"}',
            "groupLabels": {"alertname": "HighMemoryUsage"},
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": "http://alertmanager.example.com",
            "alerts": [alert],
        }
    )
