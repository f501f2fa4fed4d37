"""Amazon SNS: whether a message is Amazon's, and from a topic that we listen to.

Its messages carry a signature and the address of the certificate that made it. Anybody can make a
topic of their own, so that a right signature alone says little: topics are named by the operator.
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate, load_pem_x509_certificate

from tocsin.alerts import document
from tocsin.alerts.document import Part
from tocsin.core import clock, log
from tocsin.core.errors import Rejected
from tocsin.core.http import Client

logger = log.get(__name__)

OLDEST: Final = timedelta(hours=1)  # SNS itself tries to deliver for an hour
CERTIFICATES_KEPT: Final = 16
CONFIRM: Final = "SubscriptionConfirmation"
_AMAZON: Final = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/[\w./?&=%-]+", re.ASCII)
_TOLD: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_ASKED: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_HASHES: Final = {"1": SHA1, "2": SHA256}
Fetch = Callable[[str], Awaitable[bytes]]  # raises TocsinError


class Topics:
    """The topics that may post. ``fetch`` gets a document from Amazon."""

    def __init__(self, topics: frozenset[str], fetch: Fetch) -> None:
        self._topics = topics
        self._fetch = fetch
        self._certificates: dict[str, Certificate] = {}

    async def prove(self, body: bytes) -> None:
        """Admit a payload; see ``admit``."""
        await self.admit(Part(document.read(body)), clock.now())

    async def admit(self, message: Part, now: datetime) -> None:
        """Check a message of ours, and confirm a subscription that it asks for.

        Raises Rejected, in words, for a topic that is not listened to or a signature that does not
        fit, Unavailable when the certificate cannot be had now.
        """
        topic = message.text("TopicArn")
        if topic not in self._topics:
            raise Rejected(f"the topic {topic[:200]!r} is not listened to: name it in TOCSIN_SNS_TOPICS")
        await self._verify(message)
        at = message.moment("Timestamp")
        if at is None or abs(now - at) > OLDEST:
            raise Rejected("the message is older than an hour, or its Timestamp is missing")
        if message.text("Type") == CONFIRM:
            await self._fetch(_amazons(message, "SubscribeURL"))
            logger.info("sns.subscribed", topic=topic)

    async def _verify(self, message: Part) -> None:
        version = message.text("SignatureVersion")
        if version not in _HASHES:
            raise Rejected(f"SignatureVersion {version[:8]!r} is not known")
        key = (await self._certificate(_amazons(message, "SigningCertURL"))).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise Rejected("the certificate's key is not of the kind that SNS signs with")
        try:
            signature = base64.b64decode(message.text("Signature"), validate=True)
            key.verify(signature, _signed(message), padding.PKCS1v15(), _HASHES[version]())
        except (InvalidSignature, ValueError) as error:  # not base64, or not even ASCII
            raise Rejected("the signature does not fit the message") from error

    async def _certificate(self, url: str) -> Certificate:
        if url not in self._certificates:
            if len(self._certificates) >= CERTIFICATES_KEPT:
                self._certificates.clear()
            pem = await self._fetch(url)
            try:
                self._certificates[url] = load_pem_x509_certificate(pem)
            except ValueError as error:
                raise Rejected("SigningCertURL leads to no certificate") from error
        return self._certificates[url]


def _amazons(message: Part, name: str) -> str:
    """An address within the message, which must be one of SNS' own."""
    url = message.text(name)
    if not _AMAZON.fullmatch(url):
        raise Rejected(f"{name} is not an address of Amazon SNS")
    return url


def _signed(message: Part) -> bytes:
    """What the signature is over: names and values in turn, a line each."""
    names = _TOLD if message.text("Type") == "Notification" else _ASKED
    lines = [part for name in names if isinstance(told := message.get(name), str) for part in (name, told)]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


async def fetch(url: str) -> bytes:
    """Get one of Amazon's documents, past no guard."""
    client = Client()
    try:
        response = await client.get(url)
    finally:
        client.close()
    response.require_success()
    return response.body
