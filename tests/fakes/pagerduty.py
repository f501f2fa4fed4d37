"""A stand-in for PagerDuty's Events API v2: keeps to its documented rules, and an alert for each key.

https://developer.pagerduty.com/docs/send-alert-event
"""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

KEY = "0123456789abcdef0123456789abcdef"
MAX_EVENT = 512 * 1024


class PagerDuty(Service):
    """``alerts`` holds each alert's state and ``events`` what it accepted."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.events: list[dict[str, Any]] = []
        self.alerts: dict[str, str] = {}

    @property
    def url(self) -> str:
        return super().url + "/v2/enqueue"

    def answer(self, received: Received) -> Answer:
        if received.path != "/v2/enqueue":
            return json(404, {"error": "not found"})
        try:
            event = msgspec.json.decode(received.body)
            check(event, len(received.body))
        except (msgspec.DecodeError, Invalid) as error:
            return json(
                400, {"status": "invalid event", "message": "Event object is invalid", "errors": [str(error)]}
            )
        self.events.append(event)
        self._carry_out(event)
        answer = {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
        return json(202, answer)

    def _carry_out(self, event: dict[str, Any]) -> None:
        key, action = event["dedup_key"], event["event_action"]
        state = self.alerts.get(key, "")
        if action == "trigger" and state != "acknowledged":
            self.alerts[key] = "triggered"
        elif action != "trigger" and state in ("triggered", "acknowledged"):
            self.alerts[key] = {"acknowledge": "acknowledged", "resolve": "resolved"}[action]


def check(event: Any, size: int = 0) -> None:
    """Raise Invalid unless PagerDuty would take this event."""
    if not isinstance(event, dict):
        raise Invalid("event is not an object")
    if size > MAX_EVENT:
        raise Invalid("event is too large")
    if len(event.get("routing_key", KEY)) != 32:
        raise Invalid("Length of 'routing_key' is incorrect (should be 32 characters)")
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        raise Invalid("'event_action' is invalid")
    if not 1 <= len(event.get("dedup_key", "")) <= 255:
        raise Invalid("'dedup_key' is missing or longer than 255")
    if event["event_action"] == "trigger":
        _check_payload(event.get("payload", {}))
        for link in event.get("links", []):
            if urlsplit(link["href"]).scheme not in ("http", "https"):
                raise Invalid("'links' is invalid")


def _check_payload(payload: dict[str, Any]) -> None:
    for name in ("summary", "source", "severity"):
        if not str(payload.get(name, "")).strip():
            raise Invalid(f"'payload.{name}' is missing or blank")
    if len(payload["summary"]) > 1024:
        raise Invalid("'payload.summary' is longer than 1024")
    if payload["severity"] not in ("critical", "error", "warning", "info"):
        raise Invalid("'payload.severity' is invalid (must be one of the following: 'critical', …)")
    if "timestamp" in payload:
        datetime.fromisoformat(payload["timestamp"])
    if not isinstance(payload.get("custom_details", {}), dict):
        raise Invalid("'payload.custom_details' is not an object")
