"""A stand-in for Opsgenie's Alert API: keeps to its documented limits, and an alert for each alias.

https://docs.opsgenie.com/docs/alert-api
"""

import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

KEY = "eb243592-faa2-4ba2-a551-1afdf565c889"
LIMITS = {"message": 130, "alias": 512, "description": 15_000, "entity": 512, "source": 100, "user": 100}
MAX_NOTE = 25_000


class Opsgenie(Service):
    """``alerts`` holds each alert by its alias: its fields, ``count``, ``status`` and ``notes``."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.alerts: dict[str, dict[str, Any]] = {}

    def answer(self, received: Received) -> Answer:
        if received.headers.get("authorization") != f"GenieKey {KEY}":
            return json(401, {"message": "Could not authenticate", "took": 0.01, "requestId": "r0"})
        try:
            self._take(urlsplit(received.path), msgspec.json.decode(received.body))
        except Invalid as error:
            return json(422, {
                "message": "Request body is not processable. Please check the errors.",
                "errors": {"message": str(error)}, "took": 0.01, "requestId": "r1",
            })  # fmt: skip
        except LookupError:
            return json(404, {"message": "No handler found", "took": 0.01, "requestId": "r2"})
        return json(202, {"result": "Request will be processed", "took": 0.01, "requestId": "r3"})

    def _take(self, asked: Any, body: dict[str, Any]) -> None:
        check(body)
        if asked.path == "/v2/alerts":
            return self._create(body)
        found = re.fullmatch(r"/v2/alerts/([^/]+)/(acknowledge|close|notes)", asked.path)
        if found is None or parse_qs(asked.query).get("identifierType") != ["alias"]:
            raise LookupError
        alert = self.alerts.get(unquote(found[1]))
        if alert is not None:  # else it is taken in all the same, and fails later
            alert["notes"].append(body["note"])
            alert["status"] = {"acknowledge": "acknowledged", "close": "closed"}.get(
                found[2], alert["status"]
            )
        return None

    def _create(self, body: dict[str, Any]) -> None:
        if not body.get("message", "").strip():
            raise Invalid("Message can not be empty.")
        known = self.alerts.get(body["alias"])
        if known is not None and known["status"] != "closed":
            known["count"] += 1
        else:
            self.alerts[body["alias"]] = {**body, "status": "open", "count": 1, "notes": []}


def check(body: dict[str, Any]) -> None:
    """Raise Invalid unless Opsgenie would take these fields; some it would cut without a word."""
    for name, most in LIMITS.items():
        if len(body.get(name, "")) > most:
            raise Invalid(f"{name} is longer than {most} characters")
    if len(body.get("note", "")) > MAX_NOTE:
        raise Invalid("note is too long")
    if body.get("priority", "P3") not in ("P1", "P2", "P3", "P4", "P5"):
        raise Invalid("Priority should be P1 to P5")
    tags, details = body.get("tags", []), body.get("details", {})
    if len(tags) > 20 or any(len(tag) > 50 or "," in tag for tag in tags):
        raise Invalid("tags are too many or too long")
    if (
        not all(isinstance(value, str) for value in details.values())
        or sum(map(len, details)) + sum(map(len, details.values())) > 8_000
    ):
        raise Invalid("details are too long")
