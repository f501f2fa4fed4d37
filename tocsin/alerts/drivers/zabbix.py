"""Zabbix media types of the kind Webhook: the parameters that a script posts, in three spellings.

https://www.zabbix.com/documentation/current/en/manual/config/notifications/media/webhook
"""

from datetime import datetime
from typing import Final

from tocsin.alerts.document import Part, filled, identity, read, tagged
from tocsin.alerts.drivers import DocumentDriver
from tocsin.alerts.events import AlertEvent, Status
from tocsin.core import severity
from tocsin.core.errors import Rejected

MARKS: Final = ("event_id", "event_value", "event_source", "event_severity", "event_nseverity",
                "event_status", "trigger_id", "trigger_name", "trigger_severity", "trigger_status",
                "event_update_status", "EVENT.ID", "EVENT.VALUE", "TRIGGER.ID", "EVENT.NSEVERITY",
                "Event_ID", "Trigger_ID", "Trigger_Status", "Zabbix_URL", "zabbix_url",
                "ZABBIX.URL")  # fmt: skip
IDS: Final = ("event_id", "trigger_id", "EVENT.ID", "TRIGGER.ID", "Event_ID", "Trigger_ID",
              "HOST.NAME", "HOST.HOST", "host_ip", "host_group")  # fmt: skip
LEVELS: Final = {
    "0": severity.INFO, "1": severity.INFO, "2": severity.WARNING,
    "3": severity.WARNING, "4": severity.ERROR, "5": severity.CRITICAL,
    "not classified": severity.INFO,
}  # fmt: skip
EVENT: Final = ("event_id", "EVENT.ID", "Event_ID")
FOUND: Final = {"1", "2"}  # event sources: a discovered device, an agent that registered itself


class Driver(DocumentDriver):
    """Zabbix: what a webhook media type posts of a problem, its update and its recovery."""

    def fits(self, payload: object) -> int:
        part = Part(payload)
        found = sum(mark in part.value for mark in MARKS)
        if not part.text("event_name", "trigger_name", "EVENT.NAME", "Subject", "alert_subject"):
            return 0
        sure = found >= 3 or part.has("trigger_name", "host_name")
        return min(60 + 5 * found, 95) if sure else 0

    def event(self, part: Part, payload: Part) -> AlertEvent | None:
        if _text(part, "event_source", "EVENT.SOURCE") in FOUND:
            return None
        names = ("event_name", "trigger_name", "EVENT.NAME", "TRIGGER.NAME", "Subject", "alert_subject")
        name = part.need(*names)
        status = _status(part)
        word = _text(
            part, "event_severity", "trigger_severity", "EVENT.SEVERITY", "Severity", "event_nseverity"
        )
        level = _text(part, "event_nseverity", "EVENT.NSEVERITY") or word.lower()
        host = _text(part, "host_name", "HOST.NAME", "Hostname", "host_host", "HOST.HOST", "host")
        labels = _tags(part) | {"alertname": name, "instance": host, "host": host, "severity": word}
        began = _moment(part, "event")
        ended = _moment(part, "event_recovery") if status == "resolved" else None
        if status == "resolved" and ended is None:  # an event of its own: its time is that of the end
            began, ended = None, began
        return AlertEvent(
            labels=filled(labels | {own: _text(part, own) for own in IDS}),
            status=status,
            name=name,
            severity=LEVELS.get(level) or severity.read(word),
            annotations=_words(part),
            starts_at=began,
            ends_at=ended,
            generator_url=_link(part),
            # Every server counts its events from one: whose event it is belongs to its identity.
            fingerprint=identity("zabbix", _server(part) or host or "-", _text(part, *EVENT)),
        )


def _text(part: Part, *names: str) -> str:
    """The first of these that Zabbix filled in; a macro it could not expand stays as it is written."""
    for name in names:
        told = part.text(name)
        if told and told[0] not in "{*":
            return told
    return ""


def _status(part: Part) -> Status:
    value = _text(part, "event_value", "EVENT.VALUE", "trigger_value")
    told = _text(part, "event_status", "trigger_status", "TRIGGER.STATUS", "Trigger_Status", "X-S4-Status")
    if not value and told.lower() == "acknowledged":
        return "acknowledged"
    if value == "0" or (not value and told.lower() in ("ok", "resolved")):
        return "resolved"
    done = _text(part, "event_update_action", "EVENT.UPDATE.ACTION", "Event_Update_Action").lower()
    updated = _text(part, "event_update_status", "EVENT.UPDATE.STATUS", "Event_Update_Status") == "1"
    known = _text(part, "event_ack_status", "EVENT.ACK.STATUS", "Event_Ack_Status").lower() in ("yes", "1")
    if "unacknowledged" in done:
        return "firing"
    return "acknowledged" if known or "acknowledged" in done or (updated and not done) else "firing"


def _moment(part: Part, name: str) -> datetime | None:
    date = _text(part, f"{name}_date")
    if not date:
        return part.moment(f"{name}_timestamp")
    told = f"{date} {_text(part, f'{name}_time')}".strip()
    return Part({f"{name}_date": told}, part.path).moment(f"{name}_date")


def _tags(part: Part) -> dict[str, str]:
    """``{EVENT.TAGSJSON}`` or ``{EVENT.TAGS}``."""
    told = _text(part, "event_tags", "EVENT.TAGS")
    if not told.startswith("["):
        return tagged(told.split(","))
    tags = Part({"tags": _list(told)}).parts("tags")
    return filled({tag.text("tag"): tag.text("value") for tag in tags if tag.text("tag")})


def _list(text: str) -> object:
    try:
        return read(text.encode())
    except Rejected:
        return None


def _words(part: Part) -> dict[str, str]:
    return filled({
        "summary": _text(part, "alert_subject", "ALERT.SUBJECT", "Subject"),
        "description": _text(part, "trigger_description", "TRIGGER.DESCRIPTION", "Message", "alert_message"),
        "operational_data": _text(part, "event_opdata", "EVENT.OPDATA"),
        "comment": _text(part, "event_update_message", "EVENT.UPDATE.MESSAGE"),
        "runbook_url": _text(part, "trigger_url", "TRIGGER.URL", "event_trigger_url"),
    })  # fmt: skip


def _server(part: Part) -> str:
    return _text(part, "zabbix_url", "ZABBIX.URL", "Zabbix_URL").rstrip("/")


def _link(part: Part) -> str:
    base, event = _server(part), _text(part, *EVENT)
    trigger = _text(part, "trigger_id", "TRIGGER.ID", "Trigger_ID")
    if base and trigger and event:
        return f"{base}/tr_events.php?triggerid={trigger}&eventid={event}"
    return _text(part, "Link") or base
