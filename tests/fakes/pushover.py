"""A stand-in for Pushover: keeps to its documented limits, and repeats emergencies until they are cancelled.

https://pushover.net/api · https://pushover.net/api/receipts
"""

import re
from typing import Any

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

TOKEN, USER = "azGDORePK8gMaC0QOYAMyEEuzJnyUi", "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
REQUEST = "647d2300-702c-4b38-8b2f-d56326ae460b"


class Pushover(Service):
    """``pushed`` holds what it accepted, ``ringing`` the tags of the emergencies that it repeats."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.pushed: list[dict[str, Any]] = []
        self.ringing: list[str] = []

    def answer(self, received: Received) -> Answer:
        told = msgspec.json.decode(received.body, type=dict[str, Any])
        if told.get("token") != TOKEN:
            return _error(token="invalid", errors=["application token is invalid"])
        if cancelled := re.fullmatch(r"/1/receipts/cancel_by_tag/([\w-]+)\.json", received.path):
            found = self.ringing.count(cancelled[1])
            self.ringing = [tag for tag in self.ringing if tag != cancelled[1]]
            return json(200, {"status": 1, "canceled": found, "request": REQUEST})
        if received.path != "/1/messages.json":
            return json(404, {"status": 0, "errors": ["not found"], "request": REQUEST})
        try:
            check(told)
        except Invalid as error:
            return _error(errors=[str(error)])
        self.pushed.append(told)
        if told["priority"] == 2:
            self.ringing += told.get("tags", "").split(",")
        return json(200, {"status": 1, "request": REQUEST})


def _error(**said: Any) -> Answer:
    return json(400, {**said, "status": 0, "request": REQUEST})


def check(told: dict[str, Any]) -> None:
    """Raise Invalid unless Pushover would take this message, whole."""
    if told.get("user") != USER:
        raise Invalid("user identifier is not a valid user, group, or subscribed user key")
    if not told.get("message", "").strip():
        raise Invalid("message cannot be blank")
    for name, most in (("message", 1024), ("title", 250), ("url", 512), ("url_title", 100)):
        if len(told.get(name, "")) > most:
            raise Invalid(f"{name} is too long")
    if told.get("priority", 0) not in (-2, -1, 0, 1, 2):
        raise Invalid("priority is invalid")
    if told.get("priority") == 2:
        if told.get("retry", 0) < 30:
            raise Invalid("retry must be at least 30 seconds")
        if not 0 < told.get("expire", 0) <= 10_800:
            raise Invalid("expire must be at most 10800 seconds")
