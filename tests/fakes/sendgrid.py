"""A stand-in for SendGrid's mail send: keeps to its documented rules.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
"""

import re
from typing import Any

import msgspec

from tests.fakes.receiver import Answer, Received, Receiver
from tests.fakes.service import Invalid, Service, json

KEY = "SG.aaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
_RESERVED = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to",
    "from", "subject", "reply-to", "cc", "bcc",
}  # fmt: skip
_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+")


class SendGrid(Service):
    """``mails`` holds what it accepted."""

    def __init__(self, behind: Receiver) -> None:
        super().__init__(behind)
        self.mails: list[dict[str, Any]] = []

    def answer(self, received: Received) -> Answer:
        if received.headers.get("authorization") != f"Bearer {KEY}":
            return _error(401, "The provided authorization grant is invalid, expired, or revoked")
        if received.path != "/v3/mail/send":
            return _error(404, "not found")
        mail = msgspec.json.decode(received.body)
        try:
            check(mail)
        except Invalid as error:
            return _error(400, str(error))
        self.mails.append(mail)
        return Answer(202, b"", {"X-Message-Id": "14c5d75ce93"})

    def part(self, kind: str) -> str:
        """The text or html part of the last one."""
        found: str = next(each["value"] for each in self.mails[-1]["content"] if each["type"] == kind)
        return found


def _error(status: int, said: str) -> Answer:
    return json(status, {"errors": [{"message": said, "field": None, "help": None}]})


def check(mail: dict[str, Any]) -> None:
    """Raise Invalid unless SendGrid would take this mail."""
    [personalization] = mail["personalizations"]
    named = [each["email"].casefold() for each in personalization["to"]]
    if not 1 <= len(named) <= 1000 or len(set(named)) != len(named):
        raise Invalid(
            "Each email address in the personalization block should be unique between to, cc, and bcc."
        )
    for address in [*named, mail["from"]["email"]]:
        if not _ADDRESS.fullmatch(address):
            raise Invalid("Does not contain a valid address.")
    if not mail.get("subject"):
        raise Invalid("The subject is required.")
    if [each["type"] for each in mail["content"]] != ["text/plain", "text/html"]:
        raise Invalid("If present, text/plain and text/html must be first, in this order.")
    if not all(each["value"] for each in mail["content"]):
        raise Invalid("The content value must be a string at least one character in length.")
    if _RESERVED.intersection(map(str.casefold, mail.get("headers", {}))):
        raise Invalid("The header is reserved.")
