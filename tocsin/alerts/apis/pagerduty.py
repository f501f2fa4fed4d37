"""PagerDuty's Events API v2 and, for old clients, v1.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

import re
from typing import Final

from tocsin.alerts.apis import PREFIX, Answer, BaseApi, Refusal, Request, identity
from tocsin.alerts.document import Part, as_text
from tocsin.alerts.events import AlertEvent, FeedEvent, Reading, Status
from tocsin.core import severity
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id

_STATUS: Final[dict[str, Status]] = {
    "trigger": "firing",
    "acknowledge": "acknowledged",
    "resolve": "resolved",
}
_REQUIRED: Final = ("summary", "source", "severity")
_LABELS: Final = ("source", "component", "group", "class", "severity")


class Api(BaseApi):
    """PagerDuty's Events API: `/v2/enqueue`, `/v2/change/enqueue` and v1's `create_event.json`."""

    paths = re.compile(
        PREFIX + r"/(?:v2/(?P<change>change/)?enqueue|(?P<v1>generic/2010-04-15/create_event\.json))/?"
    )
    source = "pagerduty"

    def key(self, request: Request) -> str:
        try:
            return request.document().text("routing_key", "service_key")
        except Rejected:
            return ""  # ``read`` says what is wrong with it

    def read(self, request: Request) -> Reading:
        body = request.document()
        if request.match["change"]:  # what somebody deployed is no alert
            return Reading(beside=(_change(body),))
        return Reading([_old_event(body) if request.match["v1"] else _event(body)])

    def accepted(self, request: Request, reading: Reading, trace: str) -> Answer:
        content = {"status": "success", "message": "Event processed"}
        if request.match["change"]:
            return Answer(202, {"status": "success", "message": "Change event processed"})
        key = reading.alerts[0].labels["dedup_key"]
        if request.match["v1"]:
            return Answer(200, content | {"incident_key": key})
        return Answer(202, content | {"dedup_key": key})

    def refused(self, request: Request, refusal: Refusal) -> Answer:
        errors = refusal.message.splitlines()
        message = "Event object is invalid" if refusal.status == 400 else refusal.message
        return Answer(refusal.status, {"status": "invalid event", "message": message, "errors": errors})


def _change(body: Part) -> FeedEvent:
    payload = body.part("payload")
    _complain(_missing(body, "routing_key") + _missing(payload, "summary", within="payload."))
    links = [{name: link.text(name) for name in ("href", "text")} for link in body.parts("links")]
    details = payload.get("custom_details")
    return FeedEvent(
        type="change",
        message=payload.text("summary"),
        source=payload.text("source"),
        data={name: told for name, told in (("links", links), ("details", details)) if told},
        at=payload.moment("timestamp"),
    )


def _event(body: Part) -> AlertEvent:
    payload = body.part("payload")
    action = body.text("event_action").lower()
    problems = _missing(body, "routing_key")
    if action not in _STATUS:
        problems.append("'event_action' must be one of trigger, acknowledge, resolve")
    elif action != "trigger":
        problems += _missing(body, "dedup_key")
    else:
        problems += _missing(payload, *_REQUIRED, within="payload.")
    _complain(problems)
    key = body.text("dedup_key") or new_id()
    name = payload.text("summary")
    labels = {label: told for label in _LABELS if (told := payload.text(label))}
    return AlertEvent(
        labels=_labels(labels, name, key),
        status=_STATUS[action],
        name=name,
        severity=severity.read(payload.text("severity")),
        annotations=_told(payload.get("custom_details")) | ({"summary": name} if name else {}),
        starts_at=payload.moment("timestamp"),
        generator_url=body.text("client_url") or _first_link(body),
        reopens=True,
        fingerprint=identity("pagerduty", body.text("routing_key"), key),
    )


def _old_event(body: Part) -> AlertEvent:
    """Version 1, which knows neither severity nor source."""
    action = body.text("event_type").lower()
    problems = _missing(body, "service_key")
    if action not in _STATUS:
        problems.append("'event_type' must be one of trigger, acknowledge, resolve")
    else:
        problems += _missing(body, "description" if action == "trigger" else "incident_key")
    _complain(problems)
    key = body.text("incident_key") or new_id()
    name = body.text("description")
    return AlertEvent(
        labels=_labels({}, name, key),
        status=_STATUS[action],
        name=name,
        severity=severity.CRITICAL,  # what version 1 pages for
        annotations=_told(body.get("details")) | ({"summary": name} if name else {}),
        generator_url=body.text("client_url"),
        reopens=True,
        fingerprint=identity("pagerduty", body.text("service_key"), key),
    )


def _labels(told: dict[str, str], name: str, key: str) -> dict[str, str]:
    labels = told | {"dedup_key": key}
    if name:
        labels["alertname"] = name
    if "source" in told:
        labels["instance"] = told["source"]
    return labels


def _told(details: object) -> dict[str, str]:
    if isinstance(details, dict):
        return Part(details).pairs()
    return {"details": told} if (told := as_text(details)) else {}


def _first_link(body: Part) -> str:
    return next((link.text("href") for link in body.parts("links") if link.text("href")), "")


def _missing(part: Part, *names: str, within: str = "") -> list[str]:
    return [f"'{within}{name}' is missing or blank" for name in names if not part.text(name)]


def _complain(problems: list[str]) -> None:
    if problems:
        raise Rejected("\n".join(problems))
