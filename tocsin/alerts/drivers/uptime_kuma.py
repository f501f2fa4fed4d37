"""Uptime Kuma's notification "Webhook", as JSON.

https://github.com/louislam/uptime-kuma/wiki/Notification-Methods
"""

import re
from datetime import datetime
from typing import Final

from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent
from tocsin.core import severity

DOWN, UP = "0", "1"  # besides: 2 pending, 3 maintenance
WORDS: Final = {DOWN: "down", UP: "up"}
DAYS: Final = re.compile(r"\d+ days?")


class Driver(DocumentDriver):
    """Uptime Kuma: a monitor that is down, and up again; a certificate that will expire."""

    def fits(self, payload: object) -> int:
        value = Part(payload).value
        if not {"heartbeat", "monitor"} <= value.keys():
            return 0
        return 95 if "msg" in value or Part(payload).has("heartbeat.status") else 30

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        if not part.has("heartbeat"):
            return _certificate(part.text("msg"))
        state = part.need("heartbeat.status")
        if state not in WORDS:
            return None
        monitor = part.text("monitor.id", "heartbeat.monitorID", "heartbeat.monitor_id")
        name = part.text("monitor.name") or part.need("monitor.name")
        url, host = part.text("monitor.url"), part.text("monitor.hostname")
        link = url if url not in ("http://", "https://") else ""  # what its form starts with
        labels = {
            tag.text("name"): tag.text("value") for tag in part.parts("monitor.tags") if tag.text("name")
        }
        labels |= {
            "alertname": name,
            "instance": host or link or name,
            "monitor_id": monitor,
            "hostname": host,
        }
        labels |= {"url": link, "type": part.text("monitor.type"), "severity": WORDS[state]}
        at = _moment(part)
        return AlertEvent(
            labels=filled(labels),
            status="resolved" if state == UP else "firing",
            name=name,
            severity=severity.INFO if state == UP else severity.CRITICAL,
            annotations=filled(_words(part)),
            starts_at=None if state == UP else at,
            ends_at=at if state == UP else None,
            generator_url=link,
            fingerprint=identity("uptime_kuma", monitor, name),
        )


def _words(part: Part) -> dict[str, str]:
    return {
        "summary": part.text("msg", "heartbeat.msg"),
        "description": part.text("heartbeat.msg"),
        "monitor": part.text("monitor.description"),
    }


def _moment(part: Part) -> datetime | None:
    """``time`` is in UTC; older versions and templates give local time and its offset."""
    local = f"{part.text('heartbeat.localDateTime')} {part.text('heartbeat.timezoneOffset')}".strip()
    return part.moment("heartbeat.time") or Part({"localDateTime": local}, "heartbeat").moment(
        "localDateTime"
    )


def _certificate(message: str) -> AlertEvent | None:
    """Told as a sentence alone, ``[name][url] … certificate … will expire in 7 days``, as are tests."""
    if "certificate" not in message or "expire" not in message:
        return None
    name = "certificate expires"
    which = DAYS.sub("", message).strip()
    return AlertEvent(
        labels={
            "alertname": name,
            "instance": which.partition("] ")[0].strip("[]") or which,
            "severity": "warning",
        },
        name=name,
        severity=severity.WARNING,
        annotations={"summary": message},
        fingerprint=identity("uptime_kuma", "certificate", which),
    )
