"""Nagios notification commands that post its macros, with or without ``NAGIOS_``, as JSON or a form.

https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html
"""

from typing import Final

from tocsin.alerts import states
from tocsin.alerts.document import Part, filled, identity
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent

# Icinga writes HOSTNAME and SERVICESTATE as well; these are Nagios' own.
MARKS: Final = ("HOSTALIAS", "HOSTADDRESS", "SERVICEDESC", "SERVICEPROBLEMID", "HOSTPROBLEMID", "TIMET",
                "HOSTSTATETYPE", "SERVICESTATETYPE", "SERVICEATTEMPT", "HOSTATTEMPT")  # fmt: skip
PREFIX: Final = "NAGIOS_"


class Driver(DocumentDriver):
    """Nagios: a host's or a service's problem, acknowledgement and recovery."""

    def fits(self, payload: object) -> int:
        macros = _macros(Part(payload))
        if not macros.has("HOSTNAME") or not (macros.has("SERVICESTATE") or macros.has("HOSTSTATE")):
            return 0
        if macros.has("NOTIFICATIONTYPE") and PREFIX + "HOSTNAME" in Part(payload).value:
            return 95
        return 85 if any(mark in macros.value for mark in MARKS) else 20

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        macros = _macros(part)
        host, service = macros.need("HOSTNAME"), macros.text("SERVICEDESC")
        kind = "SERVICE" if service else "HOST"  # a service's notification tells its host's state too
        state = macros.need(f"{kind}STATE")
        status = states.status(macros.text("NOTIFICATIONTYPE"), state)
        if status is None:
            return None
        name = service or f"{host} host"
        labels = {
            "alertname": name,
            "instance": host,
            "host": host,
            "address": macros.text("HOSTADDRESS"),
            "service": service,
            "hostgroup": macros.text("HOSTGROUPNAME"),
            "servicegroup": macros.text("SERVICEGROUPNAME"),
            "severity": state,
        }
        return AlertEvent(
            labels=filled(labels),
            status=status,
            name=name,
            severity=states.level(state),
            annotations=_words(macros, kind),
            generator_url=macros.text(f"{kind}ACTIONURL"),
            # A recovery tells its problem's id in some setups and 0 in others: who is ill says enough.
            fingerprint=identity("nagios", host, service or "host"),
        )


def _macros(part: Part) -> Part:
    return Part({name.removeprefix(PREFIX): value for name, value in part.value.items()}, part.path)


def _words(macros: Part, kind: str) -> dict[str, str]:
    return filled(
        {
            "summary": macros.text(f"{kind}OUTPUT"),
            "description": macros.text(f"LONG{kind}OUTPUT"),
            "alias": macros.text("HOSTALIAS"),
            "author": macros.text("NOTIFICATIONAUTHOR", f"{kind}ACKAUTHOR"),
            "comment": macros.text("NOTIFICATIONCOMMENT", f"{kind}ACKCOMMENT"),
            "notes": macros.text(f"{kind}NOTES"),
            "runbook_url": macros.text(f"{kind}NOTESURL"),
        }
    )
