"""Twilio: text messages, and calls that are taken on by pressing a key.
https://www.twilio.com/docs/messaging/api/message-resource · https://www.twilio.com/docs/voice/api/call-resource

What is pressed comes to ``tocsin/api/twilio.py``, with the call's incident in the URL.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import urlencode, urljoin
from xml.sax.saxutils import escape, quoteattr

from pydantic import BaseModel, Field, SecretStr, model_validator

from tocsin.core.http import Client, authorization
from tocsin.notify.answer import required
from tocsin.notify.drivers import BaseDriver, Rate
from tocsin.notify.message import ACKNOWLEDGED, RESOLVED, Message
from tocsin.notify.wording import cut, plain

MAX_SPOKEN: Final = 600
SEGMENTS: Final = 4  # of a text message, each of which is paid for
PER_SEGMENT: Final = 153
PER_SEGMENT_WIDE: Final = 67  # one sign outside GSM's alphabet, and all of them take twice the room
_GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE: Final = frozenset("^{}\\[~]|€")
_SIMPLER: Final = str.maketrans(
    {"…": "...", "·": "-", "–": "-", "—": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "\xa0": " "}
)
_NUMBER: Final = r"\+[1-9][0-9]{4,14}"


class Config(BaseModel):
    account_sid: str = Field(description="Account SID", pattern=r"^AC[0-9a-fA-F]{32}$")
    auth_token: SecretStr = Field(description="Auth token of the account, which also signs what is pressed")
    sender: str = Field(
        description="Number to send from, such as +15005550006, or a messaging service's SID",
        pattern=rf"^({_NUMBER}|MG[0-9a-fA-F]{{32}})$",
    )
    to: str = Field(description="Number to reach, such as +4915112345678", pattern=rf"^{_NUMBER}$")
    by: Literal["text", "call"] = Field(
        default="text", description="call rings for what fires, and sends the rest as text"
    )
    language: str = Field(
        default="en-US", description="Voice of calls", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]+)*$"
    )
    url: str = Field(default="https://api.twilio.com", description="The API's address", pattern=r"^https?://")

    @model_validator(mode="after")
    def _can_call(self) -> "Config":
        if self.by == "call" and not self.sender.startswith("+"):
            raise ValueError("a messaging service cannot call: give a number as sender")
        return self


class Driver(BaseDriver[Config]):
    """Sends text messages by Twilio, or calls."""

    Config = Config
    concurrency = 1
    rate = Rate(per_second=1)  # what a number sends; Twilio queues the rest for hours
    folds = True

    async def send(self, message: Message, http: Client) -> str:
        if self.config.by == "call" and message.kind not in (ACKNOWLEDGED, RESOLVED):
            return await self._post("Calls", {"Twiml": spoken(message, self.config.language)}, http)
        return await self._post("Messages", {"Body": written(message)}, http)

    async def _post(self, what: str, given: Mapping[str, str], http: Client) -> str:
        config = self.config
        sender = {"From" if config.sender.startswith("+") else "MessagingServiceSid": config.sender}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            **authorization(username=config.account_sid, password=config.auth_token.get_secret_value()),
        }
        url = f"{config.url.rstrip('/')}/2010-04-01/Accounts/{config.account_sid}/{what}.json"
        body = urlencode({"To": config.to, **sender, **given}).encode()
        response = await http.post(url, body, headers, self.timeout)
        response.require_success()
        return f"{required(response, 'sid')} {response.json().get('status', '')}".strip()


def written(message: Message) -> str:
    """The message as text, of so many segments at most; the link and the trace always fit."""
    most = SEGMENTS * PER_SEGMENT
    text = plain(message, most).translate(_SIMPLER)
    while most > 0 and segments(text) > SEGMENTS:
        most = most * 9 // 10
        text = plain(message, most).translate(_SIMPLER)
    return text


def segments(text: str) -> float:
    """How much of a text message is needed for it."""
    if _GSM.union(_GSM_TWICE).issuperset(text):
        return (len(text) + sum(sign in _GSM_TWICE for sign in text)) / PER_SEGMENT
    return len(text.encode("utf-16-le")) / 2 / PER_SEGMENT_WIDE


def spoken(message: Message, language: str) -> str:
    """The message as TwiML: said twice, and a key is waited for where there is an incident to take on."""
    first = message.alerts[0].text if message.alerts and not message.subject else ""
    text = " ".join(f"{message.severity}. {message.subject or message.title}. {first}".split())
    told = escape(cut("".join(filter(str.isprintable, text)), MAX_SPOKEN).rstrip(" .")) + "."
    say = f"<Say language={quoteattr(language)}"
    if message.incident_id is None:
        return f'<Response>{say} loop="2">{told}</Say></Response>'
    where = quoteattr(urljoin(message.url, f"../../{answer_path(message.incident_id)}"))
    return (
        f'<Response><Gather numDigits="1" timeout="8" method="POST" action={where}>'
        f'{say} loop="2">{told} Press 1 to acknowledge.</Say></Gather></Response>'
    )


def answer_path(incident_id: int) -> str:
    """Where what is pressed is posted to, below Tocsin's own address."""
    return f"api/twilio/incidents/{incident_id}/"


def signature(url: str, form: Mapping[str, str], auth_token: str) -> str:
    """How Twilio signs a form that it posts. https://www.twilio.com/docs/usage/security"""
    signed = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()).decode()
