"""Checkmk notification scripts: the notification's context as JSON, by its macros' or by plain names.

https://docs.checkmk.com/latest/en/notifications.html#scripts
"""

from typing import Final

from tocsin.alerts import states
from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent

PREFIX: Final = "NOTIFY_"


class Driver(DocumentDriver):
    """Checkmk: a host's or a service's problem, acknowledgement and recovery."""

    def fits(self, payload: object) -> int:
        part, macros = Part(payload), _macros(Part(payload))
        if part.has("what", "notification_type", "host") and part.has("site"):
            return 90
        if part.has("NOTIFY_NOTIFICATIONTYPE", "NOTIFY_WHAT"):
            return 95
        return 90 if macros.has("OMD_SITE", "WHAT", "NOTIFICATIONTYPE", "HOSTNAME") else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        part = _macros(part)
        host = part.text("host", "HOSTNAME") or part.need("host")
        what = part.text("what", "WHAT").upper()
        service = (
            "" if what == "HOST" else part.text("service", "service_description", "SERVICEDESC", "check")
        )
        state = part.text("severity", "SERVICESTATE" if service else "HOSTSTATE") or part.need("status")
        told = part.text("status", "SERVICESTATE" if service else "HOSTSTATE") or state
        status = states.status(part.text("notification_type", "NOTIFICATIONTYPE").split(" ")[0], told)
        if status is None:
            return None
        # A summary tells the change of state too: what is one alert is told by host and service.
        name = part.text("summary") or service or f"{host} host"
        labels = {
            "alertname": name,
            "instance": host,
            "host": host,
            "site": part.text("site", "OMD_SITE"),
            "service": service,
            "address": part.text("address", "HOSTADDRESS"),
            "what": what,
            "severity": state,
        }
        at = part.moment("short_date_time", "SHORTDATETIME", "MICROTIME", "long_date_time")
        link = part.text("url")
        return AlertEvent(
            labels=filled(labels),
            status=status,
            name=name,
            severity=states.level(state),
            annotations=_words(part, "SERVICE" if service else "HOST"),
            starts_at=None if status == "resolved" else at,
            ends_at=at if status == "resolved" else None,
            generator_url=link if link.startswith("http") else "",  # without its server it leads nowhere
            fingerprint=identity("checkmk", part.text("site", "OMD_SITE") or "-", host, service or "host"),
        )


def _macros(part: Part) -> Part:
    return Part({name.removeprefix(PREFIX): value for name, value in part.value.items()}, part.path)


def _words(part: Part, kind: str) -> dict[str, str]:
    return filled(
        {
            "summary": part.text("output", f"{kind}OUTPUT"),
            "description": part.text("long_output", f"LONG{kind}OUTPUT"),
            "event": part.text("event"),
            "alias": part.text("alias", "HOSTALIAS"),
            "author": part.text("NOTIFICATIONAUTHOR"),
            "comment": part.text("NOTIFICATIONCOMMENT"),
        }
    )
