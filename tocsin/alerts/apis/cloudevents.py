"""CloudEvents over HTTP, structured, binary or as a batch: an envelope around any tool's payload.

https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md
"""

import base64
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from tocsin.alerts import document
from tocsin.alerts.apis import PREFIX, Answer, BaseApi, Refusal, Request, identity
from tocsin.alerts.detect import detect
from tocsin.alerts.document import Part
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import AlertEvent, Problem, Reading
from tocsin.core.errors import Rejected
from tocsin.core.labels import fingerprint

_TOLD: Final = ("id", "source", "type", "subject")
_NEEDED: Final = ("id", "source", "type", "specversion")
_STRUCTURED: Final = "application/cloudevents"


class Api(BaseApi):
    """CloudEvents: `/alerts/cloudevents/`; the driver of their data is found from it."""

    paths = re.compile(PREFIX + r"/alerts/cloudevents/?")
    source = "cloudevents"

    def read(self, request: Request) -> Reading:
        reading = Reading([], [])
        for index, (envelope, data) in enumerate(_events(request)):
            try:
                found = drivers.get(detect(data))().parse(data)
                reading.alerts += [_enveloped(event, envelope) for event in found.alerts]
                reading.errors += [Problem(index, problem.message) for problem in found.errors]
            except Rejected as error:
                reading.errors.append(Problem(index, f"data: {error}"))
        if reading.errors and not reading.alerts:
            raise Rejected(reading.errors[0].message)
        return reading

    def accepted(self, request: Request, reading: Reading, trace: str) -> Answer:
        content = {"status": "accepted", "trace_id": trace, "alerts": len(reading.alerts)}
        if reading.errors:
            content |= {"refused": len(reading.errors), "errors": reading.errors[:100]}
        return Answer(202, content)

    def refused(self, request: Request, refusal: Refusal) -> Answer:
        told = {"code": refusal.code, "message": refusal.message, "trace_id": refusal.trace}
        return Answer(refusal.status, {"status": "error", **told})


def _events(request: Request) -> Iterator[tuple[Part, bytes]]:
    """Each envelope, and its data as bytes. Raises Rejected where it is no CloudEvent."""
    kind = request.header("content-type").lower()
    if not kind.startswith(_STRUCTURED):
        names = (*_NEEDED, "subject", "time")
        told = {name: unquote(request.header(f"ce-{name}")) for name in names}
        yield _checked(Part({name: value for name, value in told.items() if value}, "ce-")), request.body
        return
    payload = document.read(request.body)
    for item in payload if isinstance(payload, list) else [payload]:
        envelope = _checked(Part(item))
        yield envelope, _data(envelope)


def _checked(envelope: Part) -> Part:
    missing = [name for name in _NEEDED if not envelope.text(name)]
    if missing:
        raise Rejected(
            f"no CloudEvent: it lacks {', '.join(missing)}; send them as headers ce-…, or one JSON object "
            f"as {_STRUCTURED}+json"
        )
    return envelope


def _data(envelope: Part) -> bytes:
    encoded: Any = envelope.value.get("data_base64")
    if isinstance(encoded, str):
        try:
            return base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise Rejected(f"data_base64: {error}") from error
    data = envelope.value.get("data")
    return data.encode() if isinstance(data, str) else msgspec.json.encode(data)


def _enveloped(event: AlertEvent, envelope: Part) -> AlertEvent:
    """An event's id differs each time it is told: what the alert is known by must not hold it."""
    source, time = envelope.text("source"), envelope.moment("time")
    known_by = event.fingerprint or identity("cloudevents", source, fingerprint(event.labels))
    told = {f"ce_{name}": text for name in _TOLD if (text := envelope.text(name))}
    over = event.status == "resolved"
    return msgspec.structs.replace(
        event,
        labels=event.labels | told,
        fingerprint=known_by,
        starts_at=event.starts_at or (None if over else time),
        ends_at=event.ends_at or (time if over else None),
    )
