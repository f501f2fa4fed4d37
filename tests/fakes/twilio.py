"""A stand-in for Twilio: text messages and calls under its documented limits, and keys that are pressed.

https://www.twilio.com/docs/messaging/api/message-resource · https://www.twilio.com/docs/voice/api/call-resource
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

SID, TOKEN = "AC" + "0a1b2c3d" * 4, "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
NUMBER = re.compile(r"\+[1-9]\d{4,14}")


@dataclass
class Call:
    """A call as Twilio understood its TwiML."""

    to: str
    said: list[str]
    action: str

    def press(self, key: str) -> tuple[str, dict[str, str], str]:
        """What Twilio then posts: where, the form, and its signature."""
        form = {"AccountSid": SID, "CallSid": "CA1", "Digits": key, "To": self.to, "Called": self.to}
        signed = self.action + "".join(f"{name}{form[name]}" for name in sorted(form))
        digest = hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha1).digest()
        return self.action, form, base64.b64encode(digest).decode()


class Twilio(Service):
    """``texts`` and ``calls`` hold what it accepted."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.texts: list[dict[str, str]] = []
        self.calls: list[Call] = []

    def answer(self, received: Received) -> Answer:
        pair = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        if received.headers.get("authorization") != f"Basic {pair}":
            return _error(401, 20003, "Authenticate")
        form = dict(parse_qsl(received.body.decode(), keep_blank_values=True))
        try:
            if not NUMBER.fullmatch(form.get("To", "")):
                raise Invalid("The 'To' number is not a valid phone number.")
            if received.path == f"/2010-04-01/Accounts/{SID}/Messages.json":
                self.texts.append(check_text(form))
                return json(201, {"sid": "SM1", "status": "queued", "body": form["Body"], "error_code": None})
            if received.path == f"/2010-04-01/Accounts/{SID}/Calls.json":
                self.calls.append(check_call(form))
                return json(201, {"sid": "CA1", "status": "queued"})
        except Invalid as error:
            return _error(400, 21211, str(error))
        return _error(404, 20404, "The requested resource was not found")


def _error(status: int, code: int, said: str) -> Answer:
    return json(status, {"code": code, "message": said, "more_info": "https://…", "status": status})


def check_text(form: dict[str, Any]) -> dict[str, Any]:
    """Raise Invalid unless Twilio would send this text."""
    if not form.get("Body"):
        raise Invalid("Message body is required.")
    if len(form["Body"]) > 1600:
        raise Invalid("The concatenated message body exceeds the 1600 character limit.")
    if "MessagingServiceSid" not in form and not NUMBER.fullmatch(form.get("From", "")):
        raise Invalid("The 'From' number is not a valid phone number, shortcode, or alphanumeric sender ID.")
    return form


def check_call(form: dict[str, Any]) -> Call:
    """The call. Raises Invalid unless Twilio would make it, and understand what it should do."""
    if not NUMBER.fullmatch(form.get("From", "")):
        raise Invalid("The source phone number provided is not yet verified for your account.")
    if not 0 < len(form.get("Twiml", "")) <= 4000:
        raise Invalid("Twiml may be at most 4000 characters.")
    try:
        response = ElementTree.fromstring(form["Twiml"])
    except ElementTree.ParseError as error:
        raise Invalid(f"Document parse failure: {error}") from error
    if response.tag != "Response" or {node.tag for node in response.iter()} - {"Response", "Gather", "Say"}:
        raise Invalid("Schema validation warning")
    gather = response.find("Gather")
    action = gather.attrib["action"] if gather is not None else ""
    return Call(form["To"], [node.text or "" for node in response.iter("Say")], action)
