"""Splunk On-Call's (formerly VictorOps') REST endpoint.

https://help.splunk.com/en/splunk-observability-cloud/splunk-on-call
"""

import re
from typing import Final

from tocsin.alerts.apis import PREFIX, Answer, BaseApi, Refusal, Request, identity
from tocsin.alerts.document import Part
from tocsin.alerts.events import AlertEvent, Beside, Deed, FeedEvent, Reading, Status
from tocsin.core import severity
from tocsin.core.errors import Rejected
from tocsin.core.ids import new_id

_STATUS: Final[dict[str, Status]] = {
    "CRITICAL": "firing",
    "WARNING": "firing",
    "ACKNOWLEDGEMENT": "acknowledged",
    "ACK": "acknowledged",
    "RECOVERY": "resolved",
    "OK": "resolved",
}
_TOLD: Final = "INFO"  # what is put on record and wakes nobody
_OWN: Final = frozenset({"message_type", "entity_id", "entity_display_name", "state_start_time"})
_LABELS: Final = ("monitoring_tool", "severity", "service", "host_name", "hostname")


class Api(BaseApi):
    """Splunk On-Call's endpoint: `/integrations/generic/<anything>/alert/<key>/<routing key>`."""

    paths = re.compile(
        PREFIX + r"/integrations/generic/[^/]+/alert/(?P<key>[^/]+)(?:/(?P<routing>.*?))?/?", re.S
    )
    source = "victorops"

    def key(self, request: Request) -> str:
        return request.match["key"]

    def read(self, request: Request) -> Reading:
        body, key = request.document(), request.match["key"]
        if body.text("message_type").upper() == _TOLD:
            return Reading(beside=_told(body, key))
        return Reading([_event(body, key, request.match["routing"] or "")])

    def accepted(self, request: Request, reading: Reading, trace: str) -> Answer:
        entity = request.document().text("entity_id")
        if reading.alerts:
            entity = reading.alerts[0].labels["entity_id"]
        return Answer(200, {"result": "success", "entity_id": entity})

    def refused(self, request: Request, refusal: Refusal) -> Answer:
        return Answer(refusal.status, {"result": "failure", "message": refusal.message})


def _told(body: Part, key: str) -> tuple[Beside, ...]:
    """A note on the incident of its entity, where that is open, and an event of the feed."""
    entity = body.text("entity_id")
    message = body.text("state_message", "entity_display_name", "entity_id")
    if not message:
        raise Rejected("state_message: expected a text")
    event = FeedEvent(
        type="victorops.info", message=message, source=body.text("monitoring_tool"), data=body.value
    )
    note = Deed(identity("victorops", key, entity), "note", body.text("ack_author"), message)
    return (note, event) if entity else (event,)


def _event(body: Part, key: str, routing: str) -> AlertEvent:
    kind = body.need("message_type").upper()
    status = _STATUS.get(kind)
    if status is None:
        raise Rejected(f"message_type: {kind[:40]!r} is none of {', '.join((*_STATUS, _TOLD))}")
    entity = body.text("entity_id")
    if not entity and status != "firing":
        raise Rejected("entity_id: expected a text that says which alert is meant")
    entity = entity or new_id()
    name = body.text("entity_display_name") or (body.text("entity_id") if status == "firing" else "")
    labels = {label: told for label in _LABELS if (told := body.text(label))}
    labels |= {"entity_id": entity, "routing_key": routing, "alertname": name}
    labels["instance"] = body.text("host_name", "hostname")
    return AlertEvent(
        labels={label: told for label, told in labels.items() if told},
        status=status,
        name=name,
        severity=severity.read(kind if status == "firing" else ""),
        annotations={field: told for field, told in body.pairs().items() if field not in {*_OWN, *_LABELS}},
        starts_at=body.moment("state_start_time") if status == "firing" else None,
        generator_url=body.text("event_info", "alert_url"),
        fingerprint=identity("victorops", key, entity),
    )
