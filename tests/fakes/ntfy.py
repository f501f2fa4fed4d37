"""A stand-in for an ntfy server with one guarded topic: publishing as JSON, its limits and its errors.

https://docs.ntfy.sh/publish/
"""

import base64
import re
from typing import Any

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

TOPIC, GUARDED, TOKEN = "tocsin-alerts", "tocsin-guarded", "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"
PASSWORD = base64.b64encode(b"phil:mypass").decode()
MAX_MESSAGE, MAX_REQUEST = 4096, 8192
_NAME = re.compile(r"[-_A-Za-z0-9]{1,64}")


class Ntfy(Service):
    """``shown`` holds notifications by their sequence id: one that comes again takes the old one's place."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.shown: dict[str, dict[str, Any]] = {}

    def answer(self, received: Received) -> Answer:
        try:
            told = check(received.body)
        except (Invalid, msgspec.DecodeError) as error:
            return _error(40024, 400, f"invalid request: {error}")
        proof = received.headers.get("authorization", "")
        if proof and proof not in (f"Bearer {TOKEN}", f"Basic {PASSWORD}"):
            return _error(40101, 401, "unauthorized")
        if told["topic"] == GUARDED and not proof:
            return _error(40301, 403, "forbidden")
        self.shown[told.get("sequence_id", str(len(self.shown)))] = told
        return json(200, {"id": "xE73Iyuabi", "event": "message", **told})


def _error(code: int, status: int, said: str) -> Answer:
    return json(status, {"code": code, "http": status, "error": said, "link": "https://ntfy.sh/docs/"})


def check(body: bytes) -> dict[str, Any]:
    """The notification. Raises Invalid unless ntfy would take it for a message."""
    if len(body) > MAX_REQUEST:
        raise Invalid("request body too large")
    told: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    if not _NAME.fullmatch(told.get("topic", "")):
        raise Invalid("topic invalid")
    if len(told.get("message", "").encode()) > MAX_MESSAGE:
        raise Invalid("a file, not a message")
    if told.get("priority", 3) not in (1, 2, 3, 4, 5):
        raise Invalid("priority invalid")
    if not _NAME.fullmatch(told.get("sequence_id", "x")):
        raise Invalid("sequence ID invalid")
    _check_actions(told.get("actions", []))
    return told


def _check_actions(actions: list[dict[str, str]]) -> None:
    if len(actions) > 3:
        raise Invalid("only 3 actions allowed")
    for action in actions:
        if action["action"] != "view" or not action.get("label") or not action.get("url"):
            raise Invalid("parameter 'url' is required for action 'view'")
